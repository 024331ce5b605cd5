"""What each shift costs a model that was never trained on the data: relative drop of Rank-1, in `docs/shifts.md`.

    python -m tests.campaigns.shifts [DATA [SHIFT ...]]

The shipped tiny backbone as it is, text to image, on the test splits of the three drawn domains (size demo), and their
mean. A minus says that Rank-1 rose.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from harness import registry
from harness.measured_on import SEVERITIES
from harness.model.weights import Source, load
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader, Seen

DATASETS = ("synth_cuhk", "synth_icfg", "synth_rstp")
SOURCE = Source("tiny")


def drops(data: Path, only: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Shift -> relative drop of Rank-1 in percent [data set, severity 1 to 5]; `only` names shifts."""
    torch.set_num_threads(1)
    backbone, loader = load(SOURCE).eval(), Loader(SOURCE, Recipe(epochs=0), 0, torch.device("cpu"))
    seen: dict[str, Seen] = {name: {} for name in DATASETS}

    def rank_1(dataset: str, **options: object) -> float:
        part = splits.part({"dataset": dataset, "options": options}, data, "test", SOURCE)
        return loader.evaluate(backbone, part, seen[dataset])[0].values["R1"] or 0.0

    clean, found = {name: rank_1(name) for name in DATASETS}, {}
    print("Rank-1 as it is:", ", ".join(f"{name} {value:.1f}" for name, value in clean.items()))
    for shift in only or registry.names("shifts"):
        found[shift] = np.array(
            [
                [100 * (1 - rank_1(name, shift=shift, severity=severity) / clean[name]) for severity in SEVERITIES]
                for name in DATASETS
            ]
        )
        cells = [f"{mean:.0f}" for mean in found[shift].mean(axis=0)]
        third = [f"{drop:.0f}" for drop in found[shift][:, 2]]
        print(f"| `{shift}` | {' | '.join(cells + third)} |", flush=True)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        drops(Path(sys.argv[1]), sys.argv[2:])
    else:
        with tempfile.TemporaryDirectory() as folder:
            drops(Path(folder))
