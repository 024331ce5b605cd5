"""Run trials, the longest first, by Ray or in a plain loop, until they are through or somebody says stop."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.execution.outcome import Event, Ledger, Outcome
from harness.execution.ray import engine
from harness.execution.ray.loggers import Tracker, callbacks
from harness.execution.ray.prune import Pruner
from harness.execution.ray.session import Session
from harness.execution.ray.stop import Flag, Interrupter, stoppable
from harness.execution.ray.worker import listens, one
from harness.store import unmeasured
from harness.store.store import Record, Store


def execute(
    resolved: Sequence[dict],
    run: str | Callable = "harness.trial.run:run",
    *,
    store: str | Path,
    data: str | Path,
    executor: str = "ray",
    workers: int | None = None,
    threads: int = 1,
    on_event: Callable[[Event], None] = lambda event: None,
    session: Session | None = None,
    prune: Mapping[str, Any] | None = None,
    log: Sequence[Tracker] = (),
    study: str = "upbench",
    share: float | str | None = None,
) -> Outcome:
    """Run resolved trials, the longest first; each commits by itself.

    The first SIGINT, SIGTERM or SIGUSR1 asks the trials under way to keep their state and end; a second one, or
    `stop.STOP_SECONDS`, ends them as they are.

    Args:
        resolved: Trials as `Resolved.as_dict()` gives them: `id`, `trial`, `status`, `trained`, ...
        run: "module:function" or a function (resolved, store, data, report[, stop]) -> status. It asks `stop()` at
            every step; when that is true it keeps its state and returns "stopped" or raises `Preempted`.
        executor: "ray" or "serial", a plain loop in this process.
        workers, threads: As for `Session`; the serial loop has one worker.
        on_event: Called in this process with `trial`: its id, and `event`: "started", "epoch" (with what the trial
            reported), "died" (its worker; it starts again), "finished" (`status`, `seconds`), "lost" (`reason`),
            "pruned" (`reason`) or "stopped". An event without a trial is a "notice" (`text`).
        session: A Ray session begun earlier, which its owner closes; otherwise one is begun and ended here.
        prune: Give up trials that fall behind others of their group, by `prune.Pruner`: `grace`, `factor`, `groups`.
        log, study: Trackers by `loggers.parse`, and the name under which they keep the run. They need Ray.
        share: Of a GPU for each trial, "auto" to measure it (`gpu`); default is what `workers` leaves for each.

    Raises:
        EnvironmentFault: Ray is absent or does not start, or a GPU is asked for where there is none.
    """
    if not (todo := sorted(resolved, key=_length, reverse=True)):
        return Outcome()
    kept = Store(store)
    store, data = str(kept.root), str(Path(data).resolve())
    places: dict[str, Any] = {
        "run": run,
        "store": store,
        "data": data,
        "threads": threads,
        "claimant": uuid.uuid4().hex,
    }
    ledger, flag = Ledger(on_event), Flag.new(kept.local)
    outcome, interrupter = ledger.outcome, Interrupter()

    def stopping() -> None:
        outcome.stopped = True
        ledger.tell({"event": "notice", "text": f"stopping: {len(ledger.running)} trials under way keep their state"})

    guard = stoppable(flag, listens(run), stopping, interrupter)
    pruner = Pruner(todo, **prune) if prune else None
    if executor == "serial":
        with guard:
            for trial in todo:
                if flag():
                    break
                _serial(trial, ledger, flag, pruner, places)
    else:
        gpu = any(str(trial["trial"].get("device", "cpu")).startswith("cuda") for trial in todo)
        own = (
            contextlib.nullcontext(session)
            if session
            else contextlib.closing(Session(workers, threads, "cuda" if gpu else "cpu"))
        )
        with own as session:
            session.wait()  # Ray sets signal handlers of its own as it starts; ours come after
            with guard:
                engine.run(
                    session, todo, places, gpu, ledger, flag, pruner, interrupter, callbacks(log, kept.local, study)
                )
    outcome.stopped |= outcome.count < len(todo)
    for trial in todo:
        if trial["id"] in outcome.lost:
            _keep(trial, outcome.lost[trial["id"]], kept, places["claimant"])
    return outcome


def _keep(trial: dict, reason: str, store: Store, claimant: str) -> None:
    """A row for a lost trial, which says why; the next run sets it aside and tries again."""
    last = (reason.strip().splitlines() or [""])[-1]
    # Nothing is kept where another run is at it, or the store itself is at fault.
    with contextlib.suppress(OSError, UserError), store.claim(trial["id"], claimant) as claim:
        store.commit(Record(trial=unmeasured.row(trial, "lost", last)), claim.token)


def _serial(trial: dict, ledger: Ledger, flag: Flag, pruner: Pruner | None, places: dict) -> None:
    behind = ""

    def tell(event: Event) -> None:
        nonlocal behind
        if pruner and event["event"] == "epoch" and pruner.behind(event):
            behind = pruner.reason(event)
        if event["event"] == "stopped" and behind:
            event |= {"event": "pruned", "reason": behind}
        ledger.tell(event)

    one(trial, tell, lambda: bool(behind) or flag(), **places)


def _length(resolved: dict) -> tuple[int, float, int]:
    """Order of expected duration: untrained trials are short, then more epochs, then more trained parameters."""
    trained = resolved.get("trained") or 0
    epochs = (resolved["trial"].get("recipe") or {}).get("epochs") or 0
    ready = resolved.get("status", "ready") == "ready"
    return int(ready) + int(ready and trained > 0), epochs, trained
