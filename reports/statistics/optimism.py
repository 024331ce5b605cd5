"""What choosing the epoch on the test split would have added: last, val-selected and test-selected (oracle) scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.statistics.intervals import Interval, over_seeds


@dataclass(frozen=True)
class Optimism:
    """Scores in percent by how the epoch was chosen, and two gaps in points, each paired by seed."""

    last: Interval
    selected: Interval
    oracle: Interval
    gap: Interval  # oracle - selected: what a table with test-selected numbers claims too much
    regret: Interval  # selected - last: what selection on val brings


def optimism(last: np.ndarray, selected: np.ndarray, oracle: np.ndarray) -> Optimism:
    """The optimism gap over seeds; the three arrays [seeds] hold the same seeds in the same order, in percent."""
    last, selected, oracle = (np.asarray(x, float) for x in (last, selected, oracle))
    if not last.shape == selected.shape == oracle.shape:
        raise ValueError(f"not paired: {last.shape}, {selected.shape}, {oracle.shape}")
    return Optimism(
        over_seeds(last),
        over_seeds(selected),
        over_seeds(oracle),
        over_seeds(oracle - selected),
        over_seeds(selected - last),
    )
