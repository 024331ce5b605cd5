"""Run one trial and commit its row and its model; how it goes is told in `stages.py`, which this file calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import memory
from harness.errors import Preempted
from harness.store import unmeasured
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
    record = columns.Growing({})
    trial: TrialRun | None = None
    error: tuple[str, Exception] | None = None
    kept: bytes | None = None
    checkpoints = Checkpoints(results.local, resolved["id"])
    keeper = Keeper(checkpoints, checkpoint_every, lambda text: report({"event": "notice", "text": text}))
    try:
        record = columns.Growing(columns.known(resolved))
        trial = TrialRun(resolved, Path(data), record, report, stop, keeper)
        if resolved["status"] == "infeasible":
            nothing = dict.fromkeys(("trained", "share", "total"))
            record.trial.update({"status": "infeasible", "reason": resolved["reason"], **nothing})
        else:
            trial.go()
        kept = model.encode(resolved, trial.chosen) if model.wanted(resolved) else None
    except (Preempted, drift.Drift, NewerSchema):
        raise
    except Diverged as fault:
        error = ("diverged", fault)
    except Exception as fault:
        error = ("oom" if memory.exhausted(fault) else "failed", fault)
    if error:
        status, cause = error
        reason = unmeasured.why(cause)
        if samples := getattr(cause, "samples", ()):
            reason += f"; captions of its batch: {' '.join(map(str, samples))}"
        more = trial.memory if trial and status == "oom" else {}
        known = {**columns.certain(resolved), "resumes": trial.resumes if trial else 0, **more}
        record = columns.Growing(unmeasured.row(resolved, status, reason, known), history=record.history)
    seconds = (trial.before if trial else 0.0) + time.perf_counter() - began
    record.trial["seconds_total"] = seconds
    try:
        results.commit(record, resolved.get("claim"), None if error else kept)
    except (KeyboardInterrupt, OSError):
        if not error and trial:
            trial.save()
        raise
    except ValueError as fault:  # a column cannot hold what was measured
        bare = unmeasured.row(resolved, "failed", unmeasured.why(fault), {"seconds_total": seconds})
        results.commit(record := columns.Growing(bare), resolved.get("claim"))
    checkpoints.remove()
    return str(record.trial["status"])
