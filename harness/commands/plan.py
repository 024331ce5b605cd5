"""`upbench plan`: a study's trials, solved budgets, and what is done."""

from __future__ import annotations

from collections import Counter

import click

from harness.commands import shared


@click.command("plan")
@click.argument("study")
@shared.store_option
@shared.data_option
@shared.set_option
@shared.seeds_option
@shared.json_option
def command(study, store, data, settings, seeds, as_json) -> None:
    """Show the trials of STUDY with their solved budgets, and which are done. Runs nothing."""
    from harness.store import Store

    asked = shared.load(study, shared.assignments(settings, seeds))
    resolved, repeats = shared.resolve(asked, data)
    done = Store(store).done(trial["id"] for trial in resolved)
    rows = [
        {
            **shared.declared(trial),
            "state": "done" if trial["id"] in done else "infeasible" if trial["status"] == "infeasible" else "to run",
            **{key: trial[key] for key in ("reason", "target", "trained", "total", "share")},
            "solved": trial.get("budget"),
        }
        for trial in resolved
    ]
    if as_json:
        shared.say_json({"study": asked.name, "question": asked.question, "repeats": repeats, "trials": rows})
        return
    cells: dict[tuple, list[dict]] = {}
    for row in rows:
        cells.setdefault((row["label"], row["budget"], row["dataset"], row["trained"]), []).append(row)
    click.echo(f"{asked.name}: {asked.question}" if asked.question else asked.name)
    shared.say_table(
        ("method", "budget", "data set", "trained", "share", "error", "seeds", "state"),
        (
            (
                *(label, budget, dataset, f"{trained:,}", f"{100 * group[0]['share']:.3f} %"),
                _error(group[0]["solved"]),
                *(len(group), _states(group)),
            )
            for (label, budget, dataset, trained), group in cells.items()
        ),
        right=("trained", "share", "error", "seeds"),
    )
    for row in rows:
        if row["solved"] and row["solved"]["mode"] != "params":
            click.echo("error: achieved against target; flops are per pair in training, memory is bytes of a batch")
            break
    for reason in dict.fromkeys(row["reason"] for row in rows if row["reason"]):
        click.echo(f"infeasible: {reason}")
    counts = Counter(row["state"] for row in rows)
    line = f"{len(rows)} trials: " + ", ".join(f"{n} {state}" for state, n in counts.items())
    click.echo(line + (f"; {repeats} repeats of a trial dropped" if repeats else ""))


def _error(solved: dict | None) -> str | None:
    """How far what was achieved is from the target."""
    return f"{100 * (solved['achieved'] / solved['target'] - 1):+.2f} %" if solved and solved["target"] else None


def _states(group: list[dict]) -> str:
    counts = Counter(row["state"] for row in group)
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{n} {state}" for state, n in counts.items())
