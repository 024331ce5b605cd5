"""Running what is not done yet of a study: on Ray or in a plain loop, until it is through or somebody says stop."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api import asking, ending
from harness.errors import UserError
from harness.execution.live import Live
from harness.execution.progress import Progress

if TYPE_CHECKING:
    from harness.execution.outcome import Outcome
    from harness.execution.ray.session import Session

RETRIED = ("failed", "oom")


@dataclass(frozen=True)
class Ran:
    """How a run went.

    Attributes:
        study: Its name, by which `results` and `report` know it.
        declared: Trials of the study.
        done: Those of them that are committed now.
        statuses: Trials that this run finished, by status; empty where nothing was to run.
        wall_seconds: From the start of the call to its end.
        busy_seconds: Inside trials, summed over workers.
        workers: Trials side by side.
    """

    study: str
    declared: int
    done: int
    statuses: dict[str, int] = field(default_factory=dict)
    wall_seconds: float = 0.0
    busy_seconds: float = 0.0
    workers: int = 0


def _silent(line: str) -> None:
    pass


def run(
    study: str | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    store: str | Path | None = None,
    data: str | Path | None = None,
    seeds: int | None = None,
    executor: str = "ray",
    workers: int | None = None,
    address: str | None = None,
    log: Sequence[str] = (),
    gpu_share: float | str | None = None,
    retry_failed: bool = False,
    accept_drift: bool = False,
    many: bool = False,
    progress: bool = False,
    tell: Callable[[str], object] = _silent,
    warn: Callable[[str], object] = _silent,
    began: float | None = None,
) -> Ran:
    """Run what is not done yet of a study. Every trial is kept as soon as it is finished; the same call continues.

    When a part of a Ray that was begun here dies or freezes, this process is ended with 75 and a line, since Ray would
    end it too, with a code of its own; `executor="serial"` has no such part.

    Args:
        study, settings, store, data, seeds: As for `plan`.
        executor: "ray", or "serial" for a plain loop in this process.
        workers: Trials side by side; default one per core or GPU.
        address: Of a running Ray cluster, "auto" or "HOST:PORT"; default RAY_ADDRESS, else Ray is started here.
        log: Trackers, "NAME" or "NAME=PLACE": tensorboard, mlflow, wandb. They need Ray.
        gpu_share: Of a GPU for each trial, more than 0 to 1, or "auto" to measure it; default 1.
        retry_failed: Run trials again that failed or were out of memory.
        accept_drift: Go on under other releases, and without checkpoints that do not fit.
        many: Allow more than 10,000 trials.
        progress: Show trials on standard output as they finish.
        tell, warn: Take each line that the command line would print, and those about damaged trials.
        began: `time.perf_counter()` from which wall time counts; default now.

    Raises:
        UserError: faults of the study, all in one message; nothing has run.
        EnvironmentFault: Ray, a GPU, weights or a writable store are lacking.
        DataError: data that cannot be used.
        RunFailed: some trials failed or were lost; the others are kept.
        NothingMeasured: no trial of the study has a number.
        Preempted: stopped from outside; the same call continues.
    """
    from harness.store.store import Store

    began = time.perf_counter() if began is None else began
    address = os.environ.get("RAY_ADDRESS") if address is None else address
    store, data = asking.places(store, data)
    results = Store(store)
    trackers = _trackers(log, executor)
    results.probe()
    early: list[Session] = []

    def session(read) -> None:
        from harness.execution.ray.session import Session

        early.append(Session(workers, read.threads, read.device, address, (results.root, data)))

    def start(read) -> None:
        # Ray comes up while torch is imported and the trials are resolved, unless there seems to be nothing to run.
        if executor == "ray" and not _looks_done(results, read):
            session(read)

    try:
        asked = asking.load(study, asking.texts(settings, seeds), start, many)
        if address and early:
            early[0].wait()  # a wrong address is told before trials are resolved
        laid, ids = _declare(asked, data, results, tell, accept_drift)
        if _tidy(results, ids, retry_failed, tell, warn):
            laid, ids = _declare(asked, data, results, tell)
        already, outcome = len(results.done(ids)), None
        # What a search chooses and a pilot asks for is known when it is through.
        while todo := _todo(laid, results, asked, outcome, tell):
            for fault in asking.lacking(todo):
                raise fault
            if executor == "ray" and not early:
                session(asked)
            shown = (tell, progress)
            outcome, workers = _execute(
                todo, executor, asked, results, data, early, laid, outcome, trackers, gpu_share, shown
            )
            if outcome.stopped or not laid.pending:
                break
            _look_again(outcome, results)
            laid, ids = _declare(asked, data, results, tell)
            _tell_choices(asked, laid, tell)
    finally:
        for begun in early:
            begun.close()
    if outcome is None:
        if laid.waiting:
            raise ending.held(asked.name, len(laid.waiting), len(results.done(ids)))
        if not any(record["statuses"].get("ok") for record in results.runs(asked.name)):
            ending.refuse_nothing(asked.name, results, ids)
        tell(f"next: upbench report {asked.name}")
        return Ran(asked.name, len(ids), len(results.done(ids)))
    if not laid.waiting:
        _look_again(outcome, results)
    wall, statuses = time.perf_counter() - began, dict(Counter(outcome.finished.values()))
    record: dict[str, Any] = {
        "wall_seconds": wall,
        "busy_seconds": outcome.busy,
        "workers": workers,
        "executor": executor,
        "declared": len(ids),
        "already": already,
        "statuses": statuses,
        "lost": outcome.lost,
        "pruned": outcome.pruned,
        "stopped": outcome.stopped,
        "reason": outcome.reason,
        "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    results.record_run(asked.name, record)
    ending.conclude(asked.name, results, record, ids, store, len(laid.waiting), tell)
    done = len(results.done(ids))
    return Ran(asked.name, len(ids), done, statuses, wall, outcome.busy, workers or 1)


def _declare(asked, data, results, tell, accept_drift=None) -> tuple:
    """The trials as far as they are known, written down, and their ids; at first also what changed since."""
    laid = asking.lay_out(asked, data, results)
    if accept_drift is not None:
        from harness.trial import drift

        for line in drift.report(laid.trials, results, asked.name, accept_drift):
            tell(line)
    results.declare(asked.name, asked.document, [asking.declared(t, laid.growing) for t in laid.trials], asked.question)
    return laid, [trial["id"] for trial in laid.trials]


def _todo(laid, results, asked, outcome, tell) -> list[dict]:
    """What can run now and was not tried in this run; says so. A search that prunes runs alone."""
    done = results.done(trial["id"] for trial in laid.trials)
    tried = set(outcome.lost) | {i for i, s in outcome.finished.items() if s == "elsewhere"} if outcome else set()
    search, main = ([t for t in part if t["id"] not in done | tried] for part in (laid.search, laid.main))
    todo = search if search and asked.tuning.prune == "asha" else search + main
    if outcome is None or todo:
        line = f"{asked.name}: {len(todo)} to run, {len(done)} already done"
        line += f", {len(laid.waiting)} wait for the search" if laid.waiting else ""
        tell(line + (f", {laid.repeats} repeats of a trial dropped" if laid.repeats else ""))
    return todo


def _look_again(outcome, results) -> None:
    """What was with another run when we came to it may be committed by now."""
    others = [ident for ident, status in outcome.finished.items() if status == "elsewhere"]
    outcome.finished |= dict.fromkeys(results.done(others), "done")
    outcome.finished |= dict.fromkeys(results.with_status(others, ("failed",)), "failed")


def _tell_choices(asked, laid, tell) -> None:
    from harness.study.precision import rule

    for choice in laid.choices:
        if choice.told:
            tell(choice.told)
    if asked.precision and (line := rule.told(laid.asked, asked.precision.most)):
        tell(f"seeds: {line}")


def _execute(todo, executor, asked, results, data, early, laid, before, trackers, share, shown) -> tuple[Outcome, int]:
    from harness.execution.executor import execute
    from harness.study import tuning

    rows = {trial["id"]: trial for trial in todo}
    groups = {ident: str(n) for n, choice in enumerate(laid.choices) for ident in choice.ids}
    prune = asked.tuning.prune == "asha" and all(trial["trial"].get("phase") == "tuning" for trial in todo)

    tell, progress_shown = shown

    def on_event(event) -> None:
        if event["event"] == "pruned":
            tuning.give_up(rows[event["trial"]], event["reason"], event["seconds"], results)
        progress.on_event(event)

    workers = early[0].wait() if early else 1
    tell(f"{executor}: {workers} side by side, {asked.threads} thread{'s' * (asked.threads > 1)} each")
    stream = None if progress_shown else io.StringIO()
    with Progress(rows, workers, stream, seen=Live(results.local, asked.name)) as progress:
        outcome = execute(
            todo,
            store=results.root,
            data=data,
            executor=executor,
            workers=workers,
            threads=asked.threads,
            on_event=on_event,
            session=early[0] if early else None,
            prune={"groups": groups} if prune else None,
            log=trackers,
            study=asked.name,
            share=share,
        )
    if before:
        for ends in ("finished", "lost", "pruned"):
            setattr(outcome, ends, getattr(before, ends) | getattr(outcome, ends))
        outcome.busy += before.busy
    return outcome, workers


def _trackers(log, executor: str) -> list:
    if log and executor != "ray":
        raise UserError("trackers are Ray's", where="--log", expected="--executor ray")
    if not log:
        return []
    from harness.execution.ray import loggers

    return loggers.parse(log)


def _looks_done(results, study) -> bool:
    """Whether this very study is declared and committed; only the resolved ids can tell for sure."""
    if study.name not in results.studies():
        return False
    known = results.declaration(study.name)
    return known["study"] == study.document and len(results.done(t["id"] for t in known["trials"])) == len(
        known["trials"]
    )


def _tidy(results, ids: list[str], retry_failed: bool, tell, warn) -> bool:
    """Set damaged and lost trials aside, and failed ones if asked to; whether there were any."""
    before = len(results.done(ids))
    for ident, why in results.damaged(ids).items():
        place = results.set_aside(ident)
        warn(f"trial {ident} is set aside in {_short(place)} and runs again: {why}")
    for ident in results.with_status(ids, ("lost",)):
        tell(f"trial {ident} was lost and runs again; its row is kept in {_short(results.set_aside(ident))}")
    if retry_failed:
        for ident in results.with_status(ids, RETRIED):
            tell(f"trial {ident} runs again; its row is kept in {_short(results.set_aside(ident))}")
    return len(results.done(ids)) < before


def _short(place: Path | str) -> Path | str:
    return place.relative_to(Path.cwd()) if isinstance(place, Path) and place.is_relative_to(Path.cwd()) else place
