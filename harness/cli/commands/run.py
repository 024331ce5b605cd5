"""`upbench run`: run what is not done yet of a study."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click

from harness.cli import shared
from harness.errors import Preempted, RunFailed, UserError
from harness.execution.live import Live
from harness.execution.progress import Progress, clock

RETRIED = ("failed", "oom")


@click.command("run")
@click.argument("study")
@click.option("--executor", type=click.Choice(["ray", "serial"]), default="ray", show_default=True)
@click.option(
    "--address",
    envvar="RAY_ADDRESS",
    metavar="ADDRESS",
    help="of a running Ray cluster: auto or HOST:PORT",
)
@click.option(
    "--log", "log", multiple=True, metavar="NAME[=PLACE]", help="also log to tensorboard, mlflow or wandb (=DIR, =URI)"
)
@click.option("--gpu-share", metavar="SHARE", help="of a GPU for each trial: auto measures it; default 1")
@click.option("--workers", type=click.IntRange(min=1), help="trials side by side; default one per core or GPU")
@click.option("--retry-failed", is_flag=True, help="run trials again that failed or were out of memory")
@click.option("--accept-drift", is_flag=True, help="go on under other releases and without checkpoints that do not fit")
@shared.store_option
@shared.data_option
@shared.set_option
@shared.seeds_option
@click.pass_context
def command(
    ctx, study, executor, address, log, gpu_share, workers, retry_failed, accept_drift, store, data, settings, seeds
) -> None:
    """Run what is not done yet of STUDY, a YAML file or a name.

    Every trial is kept as soon as it is finished. Stop with Ctrl-C; the same command continues.
    """
    from harness.store.store import Store

    began = ctx.obj["began"] if ctx.obj else time.perf_counter()
    results = Store(store)
    trackers, gpu_share = _trackers(log, executor), _share(gpu_share)
    results.probe()
    early = []

    def session(read) -> None:
        from harness.execution.ray.session import Session

        early.append(Session(workers, read.threads, read.device, address, (results.root, data)))

    def start(read) -> None:
        # Ray comes up while torch is imported and the trials are resolved, unless there seems to be nothing to run.
        if executor == "ray" and not _looks_done(results, read):
            session(read)

    try:
        asked = shared.load(study, shared.assignments(settings, seeds), start)
        if address and early:
            early[0].wait()  # a wrong address is told before trials are resolved
        laid, ids = _declare(asked, data, results, accept_drift)
        if _tidy(results, ids, retry_failed):
            laid, ids = _declare(asked, data, results)
        already, outcome = len(results.done(ids)), None
        # A study with a search has a second phase, whose trials are known when the first is through.
        while todo := _todo(laid, results, asked, outcome):
            for fault in shared.lacking(todo):
                raise fault
            if executor == "ray" and not early:
                session(asked)
            outcome, workers = _execute(todo, executor, asked, results, data, early, laid, outcome, trackers, gpu_share)
            if outcome.stopped or not laid.waiting:
                break
            laid, ids = _declare(asked, data, results)
            _tell_choices(laid)
    finally:
        for session in early:
            session.close()
    if outcome is None:
        if laid.waiting:
            raise _held(asked.name, len(laid.waiting), len(results.done(ids)))
        click.echo(f"next: upbench report {asked.name}")
        return
    wall = time.perf_counter() - began
    record = {
        "wall_seconds": wall,
        "busy_seconds": outcome.busy,
        "workers": workers,
        "executor": executor,
        "declared": len(ids),
        "already": already,
        "statuses": dict(Counter(outcome.finished.values())),
        "lost": outcome.lost,
        "pruned": outcome.pruned,
        "stopped": outcome.stopped,
        "reason": outcome.reason,
        "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    results.record_run(asked.name, record)
    _conclude(asked.name, results, record, ids, store, len(laid.waiting))


def _declare(asked, data, results, accept_drift=None) -> tuple:
    """The trials as far as they are known, written down, and their ids; at first also what changed since."""
    laid = shared.lay_out(asked, data, results)
    if accept_drift is not None:
        from harness.trial import drift

        for line in drift.report(laid.trials, results, asked.name, accept_drift):
            click.echo(line)
    results.declare(asked.name, asked.document, [shared.declared(trial) for trial in laid.trials], asked.question)
    return laid, [trial["id"] for trial in laid.trials]


def _todo(laid, results, asked, outcome) -> list[dict]:
    """What can run now and was not tried in this run; says so. A search that prunes runs alone."""
    done = results.done(trial["id"] for trial in laid.trials)
    tried = set(outcome.lost) | {i for i, s in outcome.finished.items() if s == "elsewhere"} if outcome else set()
    search, main = ([t for t in part if t["id"] not in done | tried] for part in (laid.search, laid.main))
    todo = search if search and asked.tuning.prune == "asha" else search + main
    if outcome is None or todo:
        line = f"{asked.name}: {len(todo)} to run, {len(done)} already done"
        line += f", {len(laid.waiting)} wait for the search" if laid.waiting else ""
        click.echo(line + (f", {laid.repeats} repeats of a trial dropped" if laid.repeats else ""))
    return todo


def _tell_choices(laid) -> None:
    for choice in laid.choices:
        if choice.told:
            click.echo(choice.told)


def _held(name: str, waiting: int, done: int) -> RunFailed:
    return RunFailed(
        f"{waiting} trials wait for a search that has failed trials; upbench status {name} tells why",
        kept=f"all {done} rows; upbench run {name} --retry-failed runs the failed ones again",
    )


def _execute(todo, executor, asked, results, data, early, laid, before, trackers, share):
    from harness.execution.executor import execute
    from harness.study import tuning

    rows = {trial["id"]: trial for trial in todo}
    groups = {ident: str(n) for n, choice in enumerate(laid.choices) for ident in choice.ids}
    prune = asked.tuning.prune == "asha" and all(trial["trial"].get("phase") == "tuning" for trial in todo)

    def on_event(event) -> None:
        if event["event"] == "pruned":
            tuning.give_up(rows[event["trial"]], event["reason"], event["seconds"], results)
        progress.on_event(event)

    workers = early[0].wait() if early else 1
    click.echo(f"{executor}: {workers} side by side, {asked.threads} thread{'s' * (asked.threads > 1)} each")
    with Progress(rows, workers, seen=Live(results.local, asked.name)) as progress:
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


def _share(text: str | None) -> float | str | None:
    try:
        value = text if text in (None, "auto") else float(text)
    except ValueError:
        value = -1.0
    if isinstance(value, float) and not 0 < value <= 1:
        raise UserError(f"'{text}' is no share of a GPU", where="--gpu-share", expected="auto, or more than 0 to 1")
    return value


def _looks_done(results, study) -> bool:
    """Whether this very study is declared and committed; only the resolved ids can tell for sure."""
    if study.name not in results.studies():
        return False
    known = results.declaration(study.name)
    return known["study"] == study.document and len(results.done(t["id"] for t in known["trials"])) == len(
        known["trials"]
    )


def _tidy(results, ids: list[str], retry_failed: bool) -> bool:
    """Set damaged trials aside, and failed ones if asked to; whether there were any."""
    before = len(results.done(ids))
    for ident, why in results.damaged(ids).items():
        place = results.set_aside(ident)
        click.echo(f"trial {ident} is set aside in {_short(place)} and runs again: {why}", err=True)
    if retry_failed:
        for ident in results.with_status(ids, RETRIED):
            click.echo(f"trial {ident} runs again; its row is kept in {_short(results.set_aside(ident))}")
    return len(results.done(ids)) < before


def _conclude(name: str, results, record: dict, ids: list[str], store: str, waiting: int) -> None:
    wall, busy, workers = record["wall_seconds"], record["busy_seconds"], record["workers"]
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(record["statuses"].items())) or "none"
    click.echo(f"finished: {statuses}")
    click.echo(
        f"wall time {clock(wall)}, inside trials {clock(busy)} on {workers} worker{'s' * (workers > 1)}, "
        f"overhead {100 * overhead(record):.0f} %"
    )
    done = len(results.done(ids))
    if record["stopped"]:
        why = f"stopped: {record['reason']}" if record["reason"] else "stopped"
        raise Preempted(f"{why}; {done} of {len(ids)} trials are committed; the same command continues")
    if record["lost"]:
        path = shared.log(store, "\n".join(f"trial {ident}: {why}" for ident, why in record["lost"].items()))
        first = next(iter(record["lost"].values())).strip().splitlines()[-1]
        raise RunFailed(
            f"{len(record['lost'])} trials were lost, first: {first}; details in {path}",
            kept=f"{done} of {len(ids)} trials; the same command runs the others again",
        )
    if failed := record["statuses"].get("failed"):
        raise RunFailed(
            f"{failed} trials failed; upbench status {name} tells why",
            kept=f"all {done} rows; upbench run {name} --retry-failed runs the failed ones again",
        )
    if others := record["statuses"].get("elsewhere"):
        raise Preempted(
            f"{others} trials are with another run of this store; the same command completes what it does not",
            kept=f"{done} of {len(ids)} trials",
        )
    if waiting:
        raise _held(name, waiting, done)
    click.echo(f"next: upbench report {name}")


def overhead(record: dict) -> float:
    """Share of a run's wall time in which its workers were not inside trials: (wall - busy / workers) / wall."""
    return (record["wall_seconds"] - record["busy_seconds"] / record["workers"]) / record["wall_seconds"]


def _short(place: Path | str) -> Path | str:
    here = isinstance(place, Path) and place.is_relative_to(Path.cwd())
    return place.relative_to(Path.cwd()) if here else place
