"""The choice of an epoch and what a search may see, with evaluations that are told beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from harness.adaptation.method import state
from harness.evaluation.encode import Measured
from harness.store.store import Store
from harness.study.choice import scores
from harness.trial import run as running
from harness.trial import splits
from harness.trial.loader import Loader
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe
from harness.trial.stages import TrialRun

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 4}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def make(**changes) -> Trial:
    values = {
        **{"method": "layer_norm", "options": {}, "label": "a", "budget": None, "dataset": TINY, "evaluate_on": ()},
        **{"backbone": {"name": "tiny"}, "selection": "val", "seed": 0, "device": "cpu", "threads": 1},
        "recipe": recipe({"name": "short", "epochs": 4, "batch": 8, "lr": 1e-3}),
    }
    return Trial(**{**values, **changes})


def measured(rank1: float, mean_ap: float) -> Measured:
    one = dict.fromkeys(("query", "person", "positives", "first", "ap", "inp"), np.ones(1, np.int32))
    return Measured({"R1": rank1, "mAP": mean_ap}, one, np.ones(1, np.int32), 1, 1, 0)


class Told:
    """A trial whose val gives what is told, and what it had trained at each look."""

    def __init__(self, patch, data, folder, val: list[tuple[float, float]], **changes) -> None:
        self.looks, self.states = [], []

        def evaluate(trip, name, of=None, seen=None):
            self.looks.append(name)
            self.states.append(state(trip.backbone))
            # Image to text would choose the very first epoch.
            best = measured(100.0 - len(self.looks), 100.0 - len(self.looks))
            return measured(*(val[self.looks.count("val") - 1] if name == "val" else (99.0, 99.0))), best

        patch.setattr(TrialRun, "_evaluate", evaluate)
        patch.setattr(Loader, "share", lambda *_: None)
        resolved = resolve(make(**changes), data)
        self.store, self.id = Store(folder), resolved.id
        assert running.run(resolved.as_dict(), folder, data) == "ok"
        tables = self.store.measured([self.id], ("trials", "scores", "history"))
        self.row, self.scores = tables["trials"].iloc[0], tables["scores"]
        self.history = tables["history"].sort_values("epoch")


CHOICES = {
    "rank-1 and not mAP": ([(10, 10), (20, 30), (30, 20), (25, 90), (5, 95)], 2),
    "the earlier of two that are equal": ([(10, 10), (30, 30), (20, 20), (30, 30), (30, 30)], 1),
    "mAP among equal rank-1": ([(10, 10), (30, 30), (30, 40), (30, 35), (20, 90)], 2),
    "the start, when training does harm": ([(50, 50), (40, 60), (50, 40), (50, 50), (49, 99)], 0),
    "the last, when it is the best": ([(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)], 4),
}


@pytest.mark.parametrize("case", CHOICES)
def test_val_rank_1_chooses_the_epoch_and_its_parameters_are_measured(data, tmp_path, monkeypatch, case):
    val, chosen = CHOICES[case]
    told = Told(monkeypatch, data, tmp_path, val)
    assert told.row["chosen_epoch"] == chosen
    assert told.looks == ["val"] * 5 + ["test"], "test is looked at once, after the choice"
    own = told.states[-1]
    fits = [n for n, at in enumerate(told.states[:-1]) if all(torch.equal(at[k], v) for k, v in own.items())]
    assert fits == [chosen], "test is measured with the parameters of the chosen epoch"
    kept = told.scores.query("split == 'val' and direction == 't2i'").set_index("metric")["value"]
    assert (kept["R1"], kept["mAP"]) == val[chosen]


@pytest.mark.parametrize(("every", "epochs"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (3, [0, 3, 4])])
def test_val_is_looked_at_every_so_many_epochs_and_at_the_last(data, tmp_path, monkeypatch, every, epochs):
    rule = make().recipe.model_copy(update={"evaluate_every": every})
    told = Told(monkeypatch, data, tmp_path, [(n, n) for n in range(5)], recipe=rule)
    assert told.history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert told.history.dropna(subset="val_R1")["epoch"].tolist() == epochs
    assert told.looks.count("val") == len(epochs)


def test_a_search_reads_neither_the_files_nor_the_scores_of_test(data, tmp_path, monkeypatch):
    read, part = [], splits.part

    def watched(dataset, folder, name, source):
        read.append(name)
        return part(dataset, folder, name, source)

    monkeypatch.setattr(splits, "part", watched)
    told = Told(monkeypatch, data, tmp_path, [(n, n) for n in range(5)], phase="tuning")
    assert set(told.looks) == {"val"} and set(told.scores["split"]) == {"val"} and "test" not in read


class Rows:
    """A store with rows of every split and direction, which contradict each other."""

    def __init__(self, step: int) -> None:
        self.step = step  # -1: in the other order, since the last row of a metric would win

    def measured(self, ids):
        rows = [
            {"id": ident, "split": split, "direction": direction, "metric": metric, "value": value}
            for ident, good in (("a", 0), ("b", 1))
            for split in ("test", "val")[:: self.step]
            for direction in ("i2t", "t2i")[:: self.step]
            for metric in ("mINP", "R1", "mAP", "R5")
            for value in [50.0 + 10 * good if (split, direction) == ("val", "t2i") else 90.0 - 40 * good]
        ]
        trials = pd.DataFrame({"id": ["a", "b"], "status": "ok", "seconds_total": 1.0})
        return {"trials": trials, "scores": pd.DataFrame(rows)}


@pytest.mark.parametrize("step", [1, -1])
def test_the_merit_of_a_point_is_that_of_val_from_text_to_image(step):
    found = scores(Rows(step), ["a", "b"])
    assert {ident: row["merit"] for ident, row in found.items()} == {"a": (50.0, 50.0), "b": (60.0, 60.0)}
