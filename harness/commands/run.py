"""`upbench run`: run what is not done yet of a study."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click

from harness.commands import shared
from harness.errors import Preempted, RunFailed
from harness.progress import Progress, clock

RETRIED = ("failed", "oom")


@click.command("run")
@click.argument("study")
@click.option("--executor", type=click.Choice(["ray", "serial"]), default="ray", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="trials side by side; default one per core or GPU")
@click.option("--retry-failed", is_flag=True, help="run trials again that failed or were out of memory")
@shared.store_option
@shared.data_option
@shared.set_option
@shared.seeds_option
@click.pass_context
def command(ctx, study, executor, workers, retry_failed, store, data, settings, seeds) -> None:
    """Run what is not done yet of STUDY, a YAML file or a name.

    Every trial is kept as soon as it is finished. Stop with Ctrl-C; the same command continues.
    """
    from harness.store import Store

    began = ctx.obj["began"] if ctx.obj else time.perf_counter()
    results = Store(store)
    results.probe()
    early = []

    def start(read) -> None:
        # Ray comes up while torch is imported and the trials are resolved, unless there seems to be nothing to run.
        if executor == "ray" and not _looks_done(results, read):
            from harness import tune

            early.append(tune.Session(workers, read.threads, read.device))

    try:
        asked = shared.load(study, shared.assignments(settings, seeds), start)
        resolved, repeats = shared.resolve(asked, data)
        results.declare(asked.name, asked.document, [shared.declared(trial) for trial in resolved], asked.question)
        ids = [trial["id"] for trial in resolved]
        _tidy(results, ids, retry_failed)
        done = results.done(ids)
        todo = [trial for trial in resolved if trial["id"] not in done]
        line = f"{asked.name}: {len(todo)} to run, {len(done)} already done"
        click.echo(line + (f", {repeats} repeats of a trial dropped" if repeats else ""))
        outcome, workers = _execute(todo, executor, workers, asked, results, data, early) if todo else (None, 0)
    finally:
        for session in early:
            session.close()
    if outcome is None:
        click.echo(f"next: upbench report {asked.name}")
        return
    wall = time.perf_counter() - began
    record = {
        "wall_seconds": wall,
        "busy_seconds": outcome.busy,
        "workers": workers,
        "executor": executor,
        "declared": len(ids),
        "already": len(done),
        "statuses": dict(Counter(outcome.finished.values())),
        "lost": outcome.lost,
        "stopped": outcome.stopped,
        "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    results.record_run(asked.name, record)
    _conclude(asked.name, results, record, ids, store)


def _execute(todo, executor, workers, asked, results, data, early):
    from harness import tune

    if executor == "serial":
        workers = 1
    elif early:
        workers = early[0].wait()
    else:
        early.append(tune.Session(workers, asked.threads, asked.device))
        workers = early[0].wait()
    click.echo(f"{executor}: {workers} side by side, {asked.threads} thread{'s' * (asked.threads > 1)} each")
    with Progress({trial["id"]: trial for trial in todo}, workers) as progress:
        outcome = tune.execute(
            todo,
            store=results.root,
            data=data,
            executor=executor,
            workers=workers,
            threads=asked.threads,
            on_event=progress.on_event,
            session=early[0] if early else None,
        )
    return outcome, workers


def _looks_done(results, study) -> bool:
    """Whether this very study is declared and committed; only the resolved ids can tell for sure."""
    if study.name not in results.studies():
        return False
    known = results.declaration(study.name)
    return known["study"] == study.document and len(results.done(t["id"] for t in known["trials"])) == len(
        known["trials"]
    )


def _tidy(results, ids: list[str], retry_failed: bool) -> None:
    """Set damaged trials aside, and failed ones if asked to."""
    for ident, why in results.damaged(ids).items():
        place = results.set_aside(ident)
        click.echo(f"trial {ident} is set aside in {_short(place)} and runs again: {why}", err=True)
    if retry_failed:
        for ident in results.with_status(ids, RETRIED):
            click.echo(f"trial {ident} runs again; its row is kept in {_short(results.set_aside(ident))}")


def _conclude(name: str, results, record: dict, ids: list[str], store: str) -> None:
    wall, busy, workers = record["wall_seconds"], record["busy_seconds"], record["workers"]
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(record["statuses"].items())) or "none"
    click.echo(f"finished: {statuses}")
    click.echo(
        f"wall time {clock(wall)}, inside trials {clock(busy)} on {workers} worker{'s' * (workers > 1)}, "
        f"overhead {100 * overhead(record):.0f} %"
    )
    done = len(results.done(ids))
    if record["stopped"]:
        raise Preempted(f"stopped; {done} of {len(ids)} trials are committed; the same command continues")
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
    click.echo(f"next: upbench report {name}")


def overhead(record: dict) -> float:
    """Share of a run's wall time in which its workers were not inside trials: (wall - busy / workers) / wall."""
    return (record["wall_seconds"] - record["busy_seconds"] / record["workers"]) / record["wall_seconds"]


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
