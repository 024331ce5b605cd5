"""What each shift costs a model that was never trained on the data: relative drop of Rank-1, in `docs/shifts.md`.

    python -m tests.campaigns.shifts [DATA]

The shipped tiny backbone as it is, text to image, on the test split of `synth_cuhk` (size demo).
A minus says that Rank-1 rose.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

from harness import registry
from harness.model.weights import Source, load
from harness.shifts._shift import SEVERITIES
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader, Seen

DATASET = "synth_cuhk"
SOURCE = Source("tiny")


def drops(data: Path) -> dict[str, list[float]]:
    """Shift -> relative drop of Rank-1 in percent at severities 1 to 5."""
    torch.set_num_threads(1)
    backbone, loader = load(SOURCE).eval(), Loader(SOURCE, Recipe(epochs=0), 0, torch.device("cpu"))
    seen: Seen = {}

    def rank_1(**options: object) -> float:
        part = splits.part({"dataset": DATASET, "options": options}, data, "test", SOURCE)
        return loader.evaluate(backbone, part, seen)[0].values["R1"] or 0.0

    clean, found = rank_1(), {}
    print(f"Rank-1 {clean:.1f} as it is")
    for shift in registry.names("shifts"):
        found[shift] = [100 * (1 - rank_1(shift=shift, severity=severity) / clean) for severity in SEVERITIES]
        print(f"| `{shift}` | {' | '.join(f'{drop:.0f}' for drop in found[shift])} |", flush=True)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        drops(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            drops(Path(folder))
