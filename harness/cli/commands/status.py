"""`upbench status`: what is committed, and how runs went."""

from __future__ import annotations

from collections import Counter

import click

from harness.api.ending import overhead
from harness.cli import shared
from harness.cli.commands.follow import follow
from harness.errors import UserError
from harness.execution.progress import clock
from harness.store import declared

PLACE = ("id", "label", "budget", "dataset", "seed")
DEFINITION = "overhead = (wall - inside trials / workers) / wall; wall is the whole command, start to last line"


@click.command("status")
@click.argument("study", required=False)
@click.option("--watch", is_flag=True, help="follow the run of STUDY until it is over")
@click.option("--every", type=click.FloatRange(min=0.1), default=3.0, show_default=True, help="seconds between looks")
@shared.store_option
@shared.json_option
def command(study, watch, every, store, as_json) -> None:
    """Show what is committed of STUDY, or of all studies, and how the last run went."""
    from harness.store.store import Store

    results = Store(store)
    if watch:
        if not study or as_json:
            raise UserError("--watch follows one study, on the screen", expected="upbench status STUDY --watch")
        follow(results, study, every)
    found = [_state(results, name) for name in ([study] if study else results.studies())]
    if as_json:
        shared.say_json(found[0] if study else found)
    elif study:
        _tell(found[0])
    elif not found:
        click.echo(f"no studies in {results.root}; start one with: upbench run studies/NAME.yaml")
    else:
        shared.say_table(
            ("study", "done", "last run", "states"),
            (
                (
                    state["study"],
                    f"{sum(state['statuses'].values())} of {state['declared']}",
                    clock(state["last_run"]["wall_seconds"]) if state["last_run"] else None,
                    _counts(state["statuses"]),
                )
                for state in found
            ),
            right=("done", "last run"),
        )


def _state(results, name: str) -> dict:
    read = results.read(name, ("trials",), tuning=True)
    runs = results.runs(name)
    last = {**runs[-1], "overhead": overhead(runs[-1])} if runs else None
    failed = read.trials[read.trials["status"].isin(["failed", "oom", "diverged", "infeasible", "pruned", "lost"])]
    return {
        "study": name,
        "question": read.study["question"],
        "declared": len(read.study["trials"]),
        **declared.phases(read.study, {trial["id"] for trial in read.missing}),
        "statuses": dict(Counter(read.trials["status"])),
        "not_ok": failed[[*PLACE, "status", "reason"]].to_dict("records"),
        "missing": [{key: trial[key] for key in (*PLACE, "why")} for trial in read.missing],
        "models": _models(results, read),
        "runs": len(runs),
        "last_run": last,
    }


def _models(results, read) -> dict:
    """Kept models of the committed trials that have trained something and are results: how many, bytes, and how many
    such trials have none."""
    rows = read.trials[(read.trials["status"] == "ok") & (read.trials["trained"] > 0) & read.trials["phase"].isna()]
    sizes = results.models(rows["id"])
    return {"kept": len(sizes), "bytes": sum(sizes.values()), "none": len(rows) - len(sizes)}


def _tell(state: dict) -> None:
    click.echo(f"{state['study']}: {state['question']}" if state["question"] else state["study"])
    done = sum(state["statuses"].values())
    click.echo(f"{done} of {state['declared']} trials committed: {_counts(state['statuses'])}")
    parts = ("search",) * bool(state["search"]["declared"])
    parts += ("pilot", "further") if "pilot" in state else ("main",) * bool(parts)
    for name in parts:
        phase = state[name]
        wait = f", {phase['waiting']} wait for the search" if phase["waiting"] else ""
        open_ = name == "further" and state["pilot"]["open"]
        more = ", more when the pilot is through" * open_
        click.echo(
            f"  {'further seeds' * (name == 'further') or name}: {phase['done']} of {phase['declared']}{wait}{more}"
        )
    models = state["models"]
    if models["kept"] or models["none"]:
        without = f"; {models['none']} trials have none" if models["none"] else ""
        click.echo(f"{models['kept']} models kept, {models['bytes'] / 1e6:.1f} MB{without}")
    for title, rows, column in (("not ok", state["not_ok"], "reason"), ("missing", state["missing"], "why")):
        if rows:
            click.echo(f"\n{title}:")
            shared.say_table(
                ("trial", "method", "budget", "data set", "seed", column),
                ((r["id"][:6], *(r[key] for key in PLACE[1:]), r[column] or r.get("status")) for r in rows[:20]),
                right=("seed",),
            )
            if len(rows) > 20:
                click.echo(f"and {len(rows) - 20} more; --json shows all")
    if last := state["last_run"]:
        click.echo(f"\nlast of {state['runs']} runs, {last['ended']}" + (" (stopped)" if last["stopped"] else ""))
        click.echo(f"  wall time      {last['wall_seconds']:8.1f} s")
        click.echo(f"  inside trials  {last['busy_seconds']:8.1f} s, summed over {last['workers']} workers")
        click.echo(f"  overhead       {100 * last['overhead']:8.1f} %")
        click.echo(f"  {DEFINITION}")


def _counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{n} {status}" for status, n in sorted(statuses.items(), key=lambda item: -item[1])) or "none"
