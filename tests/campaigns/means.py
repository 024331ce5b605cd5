"""Means over training, all of one training: `python -m tests.campaigns.means STUDY DATA [LABEL SEED ...]`.

Training goes on from its own parameters whatever mean is measured, so one training of each method and seed serves for
all of `MEANS`; every mean chooses its epoch on val and is measured on test once, as in a trial that asks for it.

Beside them stands what no recipe offers, because two models answer each query: test is encoded after each of the last
two epochs, and the gallery of every query ranked by the mean over both of each image's rank, ties by the mean
similarity; and by the mean similarity alone.

Rank-1 from text to image for each seed, then means with t intervals, standard deviations over seeds, and differences
seed by seed, to no mean or to the last epoch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from harness.adaptation.method import restore, state, trainable
from harness.evaluation import encode
from harness.evaluation.encode import Measured
from harness.evaluation.ranking import rank_scores
from harness.ranks import measured
from harness.study.grid import trials
from harness.study.reading import load
from harness.training.average import Average
from harness.trial import row, splits
from harness.trial.kept.again import _Nothing
from harness.trial.resolve import resolve
from harness.trial.selection import Selected
from harness.trial.stages import TrialRun

MEANS = ("2 epochs", "3 epochs", "decay 0.9", "decay 0.95", "decay 0.98")
LAST = 2  # epochs whose ranks are averaged


def ranks(scores: Tensor) -> Tensor:
    """Rank of every gallery image for every query [Q, G], from scores [Q, G]; of equal scores all have the worst."""
    ordered = scores.sort(dim=1).values
    return (scores.shape[1] - torch.searchsorted(ordered, scores.contiguous())).double()


def together(scores: Sequence[Tensor]) -> Tensor:
    """Scores [Q, G] that order as the mean rank over several cosines [Q, G] does, ties as their mean."""
    mean = torch.stack([ranks(one) for one in scores]).mean(0)
    # Two mean ranks differ by 1 / len(scores) or not at all, and two cosines by at most 2.
    return torch.stack(list(scores)).mean(0) / (4 * len(scores)) - mean


class Watched:
    """A trial trained once, every mean of it, and the cosines of its last epochs.

    Args:
        resolved: A trial whose recipe asks for no mean.
        data: Folder of data sets.
    """

    def __init__(self, resolved: Mapping[str, Any], data: Path) -> None:
        self.means: dict[str, Average] = {}
        self.chosen: dict[str, Selected] = {}
        self.cosines: list[Tensor] = []
        self.found: dict[str, float] = {}
        self.seen = 0
        self.record = row.Growing({"id": resolved["id"]})
        self.run = TrialRun(resolved, data, self.record, self.epoch, self.step, _Nothing())
        self.run.go()
        own = [s for s in self.record.scores if (s["split"], s["direction"], s["metric"]) == ("test", "t2i", "R1")]
        self.found = {"none": float(own[0]["value"]), **self.found}

    def step(self) -> bool:
        """Asked by the trial after each step, and elsewhere too."""
        if self.run._training is None:
            return False
        training = self.run.training
        if not self.means:
            parameters = trainable(self.run.backbone)
            recipes = {name: training.recipe.model_copy(update={"average": name}) for name in MEANS}
            self.means = {name: Average(parameters, recipe, training.steps) for name, recipe in recipes.items()}
        if training.done > self.seen:
            self.seen = training.done
            for mean in self.means.values():
                mean.add(training.done)
        return False

    def epoch(self, event: dict[str, Any]) -> None:
        """Told by the trial after each look at val."""
        raw, last, number = state(self.run.backbone), event["epochs"], event["epoch"]
        if number > last - LAST:
            self.cosines.append(self.encoded())
        untrained = self.run.history[0]
        for name, mean in self.means.items():
            if mean.decay is None and number <= mean.before + 1:
                # It is what the trial itself has just looked at.
                value = event["val_R1"], event["val_mAP"]
                candidate = Selected(number, raw, told(*value))
            else:
                restore(self.run.backbone, mean.mean)
                candidate = Selected(number, state(self.run.backbone), self.run._evaluate("val"))
                restore(self.run.backbone, raw)
            start = Selected(0, {}, told(untrained["val_R1"], untrained["val_mAP"]))
            if candidate.merit > self.chosen.get(name, start).merit:
                self.chosen[name] = candidate
        if number == last:  # here, because a trial merges its method when it is through
            self.measure()
            restore(self.run.backbone, raw)

    def part(self, name: str) -> splits.Part:
        return splits.part(self.run.trial["dataset"], self.run.data, name, self.run.source)

    def encoded(self) -> Tensor:
        """Cosines [Q, G] of test."""
        loader, part = self.run.loader, self.part("test")
        image = encode.encode_images(self.run.backbone, part.images, loader.normalise, bf16=loader.bf16)
        text = encode.encode_texts(self.run.backbone, part.ids, bf16=loader.bf16)
        return text.double() @ image.double().T

    def measure(self) -> None:
        """Every mean on test, once."""
        for name, selected in self.chosen.items():
            restore(self.run.backbone, selected.state)
            value = self.run._evaluate("test")[0].values["R1"]
            assert value is not None
            self.found[name] = value
        self.found["last epoch"] = self.rank1(self.cosines[-1])
        self.found["mean rank"] = self.rank1(together(self.cosines))
        self.found["mean similarity"] = self.rank1(torch.stack(self.cosines).mean(0))

    def rank1(self, scores: Tensor) -> float:
        split = self.part("test").split
        found = measured(rank_scores(scores, split.caption_person, split.image_person))["R1"]
        assert found is not None
        return 100 * float(np.mean(found))


def told(rank1: float, mean_ap: float) -> tuple[Measured, Measured]:
    one = Measured({"R1": rank1, "mAP": mean_ap}, {}, np.empty(0), 0, 0, 0)
    return one, one


def summary(label: str, rows: Sequence[Mapping[str, float]]) -> list[str]:
    """A line for each setting."""
    lines = []
    for name in rows[0]:
        base = "last epoch" if name.startswith("mean ") else "none"
        column = np.array([one[name] for one in rows])
        less, t = column - [one[base] for one in rows], stats.t.ppf(0.975, len(rows) - 1) / len(rows) ** 0.5
        lines.append(
            f"{label}, {name}: {column.mean():.2f} ± {t * column.std(ddof=1):.2f}, sd {column.std(ddof=1):.2f}; "
            f"less {base} {less.mean():+.2f} ± {t * less.std(ddof=1):.2f}"
        )
    return lines


def main(study: Path, data: Path, label: str = "", *seeds: str) -> None:
    found: dict[str, list[dict[str, float]]] = {}
    for trial in trials(load(study)):
        if trial.recipe.average is None and trial.label.startswith(label) and (not seeds or str(trial.seed) in seeds):
            resolved = resolve(trial, data).as_dict()
            scores = Watched(resolved, data).found
            found.setdefault(trial.label, []).append(scores)
            print(json.dumps([resolved["id"], trial.label, trial.seed, scores]), flush=True)
    for name, rows in found.items():
        print("\n".join(summary(name, rows)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
