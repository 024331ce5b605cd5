"""How the trials of a cell make one cost of each column of their rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def extreme(of: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], float | None]:
    """`of` the finite values among some; None where there is none."""

    def found(values: np.ndarray) -> float | None:
        values = values[np.isfinite(values)]
        return float(of(values)) if len(values) else None

    return found


median = extreme(np.median)
MEDIANS = (
    "flops_forward", "flops_backward", "peak_memory_train", "peak_memory_evaluate", "step_seconds", "seconds_total",
    "seconds_train", "seconds_evaluate", "seconds_data", "seconds_compile", "seconds_first_step", "latency_image_ms",
    "latency_image_merged_ms", "latency_text_ms", "latency_text_merged_ms", "energy_joules", "adapter_bytes", "batch",
)  # fmt: skip
# One trial that read features from the cache makes the time of evaluation incomparable, and one that had to split its
# batch makes the cell a split one.
COSTS = {**dict.fromkeys(MEDIANS, median), "features_cached": extreme(np.max), "micro_batch": extreme(np.min)}
