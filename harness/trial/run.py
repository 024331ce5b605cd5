"""Run one trial and commit its row and its model; how it goes is told in `stages.py`, which this file calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import memory
from harness.errors import Preempted, UserError
from harness.store.files.checksummed import NewerSchema
from harness.store.store import Store
from harness.training.loop import Diverged
from harness.trial import drift
from harness.trial import row as columns
from harness.trial.checkpoint import Checkpoints, Keeper
from harness.trial.kept import model
from harness.trial.stages import TrialRun


def run(
    resolved: Mapping[str, Any],
    store: str | Path,
    data: str | Path,
    report: Callable[[dict[str, Any]], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_every: float = 600.0,
) -> str:
    """Run one trial, from its checkpoint if it has one, and commit its row, with its model if the study keeps it.

    The status is `ok`, `infeasible`, `diverged`, `oom` or `failed`. A trial that fails is committed with its status and
    the reason, and without numbers.

    Args:
        resolved: `Resolved.as_dict()`.
        store: Where its row and its checkpoints go.
        data: Folder of data sets.
        report: Gets every line of the history, and notices for the user.
        stop: Asked at every step and between evaluations, and cheap.
        checkpoint_every: Seconds between two checkpoints within an epoch.

    Raises:
        Preempted: `stop()` was true; the state is kept and nothing is committed.
        drift.Drift: the checkpoint was made under other conditions; nothing is touched.
    """
    began = time.perf_counter()
    results = Store(store)
    record = columns.Growing(columns.known(resolved))
    row = record.trial
    error: tuple[str, Exception] | None = None
    checkpoints = Checkpoints(results.local, resolved["id"])
    keeper = Keeper(checkpoints, checkpoint_every, lambda text: report({"event": "notice", "text": text}))
    trial = TrialRun(resolved, Path(data), record, report, stop, keeper)
    try:
        if resolved["status"] == "infeasible":
            row |= {"status": "infeasible", "reason": resolved["reason"], "trained": None, "share": None, "total": None}
        else:
            trial.go()
    except (Preempted, drift.Drift, NewerSchema):
        raise
    except Diverged as fault:
        error = ("diverged", fault)
    except Exception as fault:
        error = ("oom" if memory.exhausted(fault) else "failed", fault)
    if error:
        status, cause = error
        reason = " ".join(str(cause).split())[:500] or type(cause).__name__
        kind = "" if isinstance(cause, UserError) else f"{type(cause).__name__}: "
        if samples := getattr(cause, "samples", ()):
            reason += f"; captions of its batch: {' '.join(map(str, samples))}"
        record = columns.Growing(
            trial={
                **columns.known(resolved),
                **{"status": status, "reason": kind + reason, "resumes": trial.resumes},
                **(trial.memory if status == "oom" else {}),
            },
            history=record.history,
        )
    kept = model.encode(resolved, trial.chosen) if not error and model.wanted(resolved) else None
    record.trial["seconds_total"] = trial.before + time.perf_counter() - began
    try:
        results.commit(record, resolved.get("claim"), kept)
    except (KeyboardInterrupt, OSError):
        if not error:
            trial.save()
        raise
    checkpoints.remove()
    return str(record.trial["status"])
