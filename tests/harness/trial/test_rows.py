"""A trial leaves a row whatever it meets: values that it cannot be built from, numbers that no column holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.store import schema, unmeasured
from harness.store.store import Store
from harness.trial import run as running
from harness.trial.spec import Trial, recipe
from harness.trial.stages import TrialRun

SOUND = Trial(
    **{
        **{"method": "bitfit", "options": {}, "label": "mine", "budget": None, "backbone": {"name": "tiny"}},
        **{"dataset": {"dataset": "synth_cuhk"}, "recipe": recipe({"name": "short", "epochs": 1}), "seed": 3},
        **{"selection": "val", "evaluate_on": (), "device": "cpu", "threads": 1, "keep": "none"},
    }
).as_dict()


def resolved(**changes: Any) -> dict[str, Any]:
    trial = {**json.loads(json.dumps(SOUND)), **changes}
    hashes = dict.fromkeys(("code", "data", "backbone"), "0" * 16)
    counts = {"trained": 10, "total": 1000, "share": 0.01, "target": None}
    return {"id": "0123456789abcdef", "trial": trial, "status": "ready", "reason": None, "hashes": hashes, **counts}


def row(tmp_path, given: dict[str, Any]) -> dict[str, Any]:
    store = Store(tmp_path / "store")
    assert running.run(given, store.root, tmp_path) == "failed"
    found = store.measured([given["id"]], ("trials",))["trials"].to_dict("records")
    assert len(found) == 1 and found[0]["status"] == "failed"
    assert json.loads(found[0]["spec"]) == json.loads(json.dumps(given["trial"]))
    return found[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": {**SOUND["recipe"], "augmentation": "nothing"}}, "ValidationError: 1 validation error for Recipe"),
        ({"backbone": {"name": "tiny", "nome": "tiny"}}, "TypeError: "),
        ({"device": "nowhere"}, "RuntimeError: "),
        ({"dataset": {"dataset": "nowhere", "options": {}}}, "unknown dataset 'nowhere'"),
        ({"recipe": 5}, "TypeError: "),
    ],
)  # fmt: skip
def test_a_trial_that_cannot_be_built_is_a_row_with_the_reason(tmp_path, changes, words):
    found = row(tmp_path, resolved(**changes))
    assert found["reason"].startswith(words) and "\n" not in found["reason"] and found["label"] == "mine"
    assert found["seed"] == 3 and found["trained"] == 10 and found["seconds_total"] >= 0


@pytest.mark.parametrize(
    ("changes", "column"), [({"seed": 2**63}, "trials.seed"), ({"threads": "x"}, "trials.threads"), ({}, "history.lr")]
)
def test_what_no_column_holds_is_told_and_left_out(tmp_path, monkeypatch, changes, column):
    def go(self: TrialRun) -> None:
        if not changes:
            self.history.append({"epoch": 1, "step": 1, "lr": "fast"})

    monkeypatch.setattr(TrialRun, "go", go)
    found = row(tmp_path, resolved(**changes))
    assert found["reason"].startswith(f"ValueError: column {column} ") and found["seed"] in (3, 2**63 - 1)


def test_a_bare_row_can_always_be_committed():
    for trial in ({}, None, {"seed": "x", "dataset": 5, "recipe": [1]}, {"seed": -5, "tuned": {1, 2}, "label": 7}):
        made = unmeasured.row({"id": "0000", "trial": trial, "target": 2**70}, "lost", "why\nnot")
        assert schema.build("trials", [made]).num_rows == 1 and made["reason"] == "why not"


def test_what_a_column_holds():
    assert schema.holds("trials", "seed", 2**63 - 1) and not schema.holds("trials", "seed", 2**63)
    assert schema.holds("trials", "spec", {"a": [1]}) and not schema.holds("trials", "spec", {"a": {1}})
    assert not schema.holds("trials", "label", "\ud800") and schema.holds("trials", "lr", None)
