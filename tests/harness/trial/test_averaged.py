"""A trial whose recipe asks for a mean: what is measured, chosen and kept of it is the mean, also after a stop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.adaptation.method import state
from harness.errors import Preempted
from harness.evaluation.encode import Measured
from harness.store.store import Store
from harness.training.loop import Training
from harness.trial.kept import model
from harness.trial.resolve import resolve
from harness.trial.run import run
from harness.trial.spec import Trial, recipe
from harness.trial.stages import TrialRun

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 4}}
EPOCHS = 3
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def resolved(data, average: str | None, **changes: Any) -> dict[str, Any]:
    asked = {"name": "short", "epochs": EPOCHS, "batch": 8, "lr": 1e-3, "losses": ["sdm", "id"], "average": average}
    values = {
        **{"method": "layer_norm", "options": {}, "label": "a", "budget": None, "dataset": TINY, "evaluate_on": ()},
        **{"backbone": {"name": "tiny"}, "selection": "val", "seed": 0, "device": "cpu", "threads": 1, "keep": "all"},
        "recipe": recipe(asked),
    }
    return resolve(Trial(**{**values, **changes}), data).as_dict()


class Seen:
    """What trials had in their backbone after each step, and at each look; each look at val is better than the last."""

    def __init__(self, patch: pytest.MonkeyPatch, break_at: int = 0) -> None:
        self.steps: list[State] = []
        self.ends: list[State] = []
        self.looks: list[tuple[str, State]] = []
        step = Training._step

        def stepped(run: Training, *given: Any) -> Tensor:
            loss = step(run, *given)
            self.steps.append(state(run.modules["backbone"]))
            self.ends += [self.steps[-1]] * (run.done % run.steps == 0)
            return loss

        def evaluate(trip: TrialRun, name: str, of: object = None, seen: object = None) -> tuple[Measured, Measured]:
            self.looks.append((name, state(trip.backbone)))
            if len(self.looks) == break_at:
                raise KeyboardInterrupt
            one = dict.fromkeys(("query", "person", "positives", "first", "ap", "inp"), np.ones(1, np.int32))
            rank1 = float(trip.training.done)
            told = Measured({"R1": rank1, "mAP": rank1}, one, np.ones(1, np.int32), 1, 1, 0)
            return told, told

        patch.setattr(Training, "_step", stepped)
        patch.setattr(TrialRun, "_evaluate", evaluate)


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def mean(states: list[State], weights: list[float]) -> State:
    total = sum(weights)
    return {name: sum(w * s[name].double() for w, s in zip(weights, states, strict=True)) / total for name in states[0]}


def near(one: State, other: State) -> bool:
    return all(torch.allclose(value.double(), other[name].double(), rtol=0, atol=1e-6) for name, value in one.items())


@pytest.mark.parametrize("selection", ["val", "last"])
@pytest.mark.parametrize("average", [None, "2 epochs", "decay 0.8"])
def test_what_is_measured_and_kept_is_the_mean(data, tmp_path, monkeypatch, average, selection):
    item, seen = resolved(data, average, selection=selection), Seen(monkeypatch)
    assert run(item, tmp_path, data) == "ok"
    per, every = len(seen.steps) // EPOCHS, seen.steps
    assert per > 1 and len(seen.ends) == EPOCHS
    expected = list(seen.ends)
    if average == "2 epochs":
        expected[-1] = mean(seen.ends[-2:], [1, 1])
    elif average:
        upto = [every[: per * epoch] for epoch in range(1, EPOCHS + 1)]
        expected = [mean(some, [0.8 ** (len(some) - n) for n in range(1, len(some) + 1)]) for some in upto]
    *looks, (last, own) = seen.looks
    assert last == "test" and [name for name, _ in looks] == ["val"] * (EPOCHS + 1) * (selection == "val")
    for at, there in zip(expected, [there for _, there in looks[1:]], strict=False):
        assert near(at, there)
    assert near(expected[-1], own) and (average is None) == same(seen.ends[-1], own)
    assert same(model.read(Store(tmp_path), item["id"]).tensors, own), "the kept model is what test was measured with"


@pytest.mark.parametrize("break_at", [3, 4], ids=["in the look after two epochs", "in the last look"])
@pytest.mark.parametrize("average", ["2 epochs", "decay 0.8"])
def test_a_stop_in_the_middle_changes_no_bit(data, tmp_path, average, break_at):
    item = resolved(data, average)
    with pytest.MonkeyPatch.context() as patch:
        Seen(patch)
        run(item, tmp_path / "whole", data)
    with pytest.MonkeyPatch.context() as patch:
        Seen(patch, break_at)
        with pytest.raises(KeyboardInterrupt):
            run(item, tmp_path / "parts", data)
    with pytest.MonkeyPatch.context() as patch:
        seen, asked = Seen(patch), iter([False, True])
        with pytest.raises(Preempted, match="kept: its checkpoint"):
            run(item, tmp_path / "parts", data, stop=lambda: next(asked))
        assert run(item, tmp_path / "parts", data) == "ok"
        assert len(seen.steps) < EPOCHS * 2, "it went on from where it was left"
    one, other = (model.read(Store(tmp_path / name), item["id"]).tensors for name in ("whole", "parts"))
    assert same(one, other)
