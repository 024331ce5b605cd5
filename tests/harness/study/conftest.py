"""Trials that cost nothing in place of real ones, and a command line that runs them."""

from __future__ import annotations

import hashlib
import json

import pytest

from harness.cli import main
from harness.store.store import Record, Store
from harness.trial import resolve
from harness.trial import run as running

BAD = "infeasible at 1%"


def fake_resolve(item, data) -> resolve.Resolved:
    document = item.as_dict()
    trained = {"zero_shot": 0, "full": 1000}.get(item.method, {"1%": 10, "3%": 30, "8%": 80}.get(item.budget, 50))
    if not trained:
        document |= {"seed": 0, "recipe": {"epochs": 0, "lr": None}}
    if item.method == "full":
        document["budget"] = None
    if document["options"].get("rank"):  # as if the budget had decided it
        document["options"]["rank"] = 8
    decides = {k: v for k, v in document.items() if k not in ("label", "tuned", "budget")} | {"t": trained}
    bad = item.budget == "1%" and item.label.startswith("lora") and BAD in item.options.get("note", "")
    return resolve.Resolved(
        id=hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16],
        trial=document,
        status="infeasible" if bad else "ready",
        reason="too small" if bad else None,
        trained=trained,
        total=1000,
        share=trained / 1000,
        target=None,
        hashes={},
    )


# (method, lr) -> what a trial measures on (val, test); by default val prefers 1e-2.
MERITS: dict[tuple, object] = {}
RAN: list[dict] = []


def fake_run(resolved, store, data, report) -> str:
    document = resolved["trial"]
    RAN.append(document)
    lr = document["recipe"]["lr"]
    found = MERITS.get((document["method"], lr), {1e-3: 40.0, 1e-2: 60.0, 1e-1: 50.0}.get(lr, 20.0))
    found = found(document) if callable(found) else found
    status = found if isinstance(found, str) else "ok"
    row = {key: document[key] for key in ("label", "method", "seed", "budget")}
    row |= {"id": resolved["id"], "dataset": "synth_cuhk", "spec": document, "status": status, "seconds_total": 2.0}
    row |= {"phase": document["phase"], "tuned": document["tuned"], "lr": lr, "trained": resolved["trained"]}
    scores = []
    if status == "ok":
        val, *rest = found if isinstance(found, tuple) else (found, found / 2)
        values = {"val": (val, rest[0])} | ({} if document["phase"] == "tuning" else {"test": (val - 10, rest[0])})
        scores = [
            {"dataset": "synth_cuhk", "split": split, "choice": "selected", "direction": "t2i", "metric": metric}
            | {"value": value, "queries": 9, "gallery": 9, "unmatched": 0}
            for split, pair in values.items()
            for metric, value in zip(("R1", "mAP"), pair, strict=True)
        ]
    Store(store).commit(Record(trial=row, scores=scores))
    return status


@pytest.fixture
def fakes(monkeypatch):
    """Resolving costs nothing, and nothing has run."""
    monkeypatch.setattr(resolve, "resolve", fake_resolve)
    monkeypatch.setattr("harness.trial.limits.faults", lambda *_: [])
    MERITS.clear()
    RAN.clear()


@pytest.fixture
def call(lay, tmp_path, monkeypatch, capsys):
    """The command line in a folder with the study that `lay` writes; gives the exit code, and output with errors."""
    lay()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "run", fake_run)
    monkeypatch.setattr("harness.api.asking.lacking", lambda rows: [])
    monkeypatch.setattr("harness.execution.estimate.estimate", lambda *_: None)

    def ask(*words: str) -> tuple[int, str]:
        code = main.call([*words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return ask
