"""`upbench plan`: a study's trials, solved budgets, and what is done."""

from __future__ import annotations

from collections import Counter

import click

from harness.api import planning
from harness.cli import shared
from harness.execution.progress import clock
from harness.study.precision import rule


@click.command("plan")
@click.argument("study")
@shared.store_option
@shared.data_option
@shared.set_option
@shared.seeds_option
@shared.many_option
@click.option("--workers", type=click.IntRange(min=1), help="trials side by side; default one per core or GPU")
@click.option("--no-probe", is_flag=True, help="do not measure a few steps to tell time, memory and disk")
@click.option("--doctor", metavar="FILE", help="with --no-probe: what upbench doctor --out wrote; default doctor.json")
@shared.json_option
def command(study, store, data, settings, seeds, many, workers, no_probe, doctor, as_json) -> None:
    """Show the trials of STUDY with their solved budgets, which are done, and what the others will cost.

    Trains nothing but a few steps of each method, once on a machine.
    """
    made = planning.plan(
        study,
        shared.assignments(settings),
        store=store,
        data=data,
        seeds=seeds,
        workers=workers,
        probe=not no_probe,
        many=many,
        doctor=doctor,
    )
    asked, rows, repeats, costs = made.study, made.trials, made.repeats, made.estimate
    if as_json:
        known = {"study": asked.name, "question": asked.question, "repeats": repeats, "lacking": made.lacking}
        known["models"] = made.models
        known["searches"] = [_search(choice) for choice in made.searches]
        known["estimate"], known["told_by"], known["doctor"] = costs and vars(costs), made.told_by, made.doctor
        known["pilots"], known["further"] = [vars(each) for each in made.asked], made.further and vars(made.further)
        shared.say_json({**known, "trials": rows})
        return
    cells: dict[tuple, list[dict]] = {}
    main = [row for row in rows if row["phase"] != "tuning"]
    for row in main:
        cells.setdefault((row["label"], row["budget"], row["dataset"], row["trained"]), []).append(row)
    click.echo(f"{asked.name}: {asked.question}" if asked.question else asked.name)
    if asked.precision:
        _say_seeds(made)
    if made.searches:
        _say_searches(made.searches)
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
    for line in dict.fromkeys(_uneven(row) for row in main if row["budget"]):
        if line:
            click.echo(line)
    for row in rows:
        if row["solved"] and row["solved"]["mode"] != "params":
            click.echo("error: achieved against target; flops are per pair in training, memory is bytes of a batch")
            break
    for line in dict.fromkeys(_infeasible(row) for row in rows if _is_infeasible(row)):
        click.echo(line)
    for index in made.idle:
        click.echo(f"rule {index + 1} matches no trial: {asked.rules[index].when}")
    counts = Counter(row["state"] for row in rows)
    line = f"{len(rows)} trials: " + ", ".join(f"{n} {state}" for state, n in counts.items())
    click.echo(line + (f"; {repeats} repeats of a trial dropped" if repeats else ""))
    if costs:
        _say_costs(costs, made.further)
    _say_sources(made)
    if made.models:
        click.echo(f"models: {_size(made.models)} of trained parameters are kept (keep: {asked.keep})")
    for fault in made.lacking:
        click.echo(f"before a run: {fault}; ids stay the same")


def _uneven(row: dict) -> str:
    """Which blocks have another size than the options of a row say."""
    own = row["trial"]["options"]
    parts = [("", own)]
    united = [part for part in own.get("parts", []) if isinstance(part, dict)]
    parts += [(f"{name}: ", options or {}) for part in united for name, options in part.items()]
    said = [
        name
        + ", ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in entry.items()
        )
        for name, options in parts
        for entry in options.get("more", [])
    ]
    return f"uneven: {row['label']} at {row['budget']}: {'; '.join(said)}" if said else ""


def _is_infeasible(row: dict) -> bool:
    """Whether a trial has no numbers, run or not; the reason of one that waits is that it does."""
    return bool(row["reason"]) and row["state"] != "waiting"


def _infeasible(row: dict) -> str:
    """Why a row will have no numbers, with the share that the nearest setting has."""
    where = f"{row['label']} at {row['budget']}" if row["budget"] else row["label"]
    near = f", {100 * row['share']:.3f} %" if row["solved"] and row["solved"]["mode"] == "params" else ""
    return f"infeasible: {where}: {row['reason']}{near}"


def _say_seeds(made) -> None:
    """How many trials are certain, and how many are likely beside them."""
    first, most = made.study.precision.first, made.study.precision.most
    if told := rule.told(made.asked, most):
        click.echo(f"seeds: pilot of {first}; {told}")
    if further := made.further:
        low, high = further.trials
        many = f"about {low} more are likely" if low == high else f"between {low} and {high} more follow"
        how = f"by the spread so far of {further.known}" if further.known else "by the spread, not known yet,"
        certain = sum(not _is_infeasible(row) for row in made.trials)
        click.echo(
            f"seeds: {certain} trials are certain; {many}, {how} of {further.cells} cells whose pilot of "
            f"{first} is not through"
        )


def _say_costs(costs, further) -> None:
    """Time, memory and disk of what is to run."""
    click.echo(
        f"time: about {_span(*costs.seconds)} on {costs.workers} "
        f"worker{'s' * (costs.workers > 1)}, the longest trial {clock(costs.longest)}"
    )
    if further and further.seconds and further.trials[1]:
        click.echo(f"time with further seeds: about {_span(*further.seconds)}")
    memory = "not measured" if costs.memory is None else f"{_size(costs.memory)} for each worker's training at its peak"
    click.echo(f"memory: {memory}")
    click.echo(
        f"disk: {_size(costs.disk)} of results ({_size(costs.disk / costs.trials)} a trial), checkpoints of up to "
        f"{_size(costs.checkpoint)}, packed images {_size(costs.images)} once"
    )
    if costs.scaled:
        click.echo(f"measured with a few pairs and scaled to the batch: {', '.join(costs.scaled)}")


def _say_sources(made) -> None:
    """By what the times are told that were not probed."""
    by: dict[str | None, list[str]] = {}
    for label, source in made.told_by.items():
        by.setdefault(source, []).append(label)
    for source, labels in by.items():
        if source:
            click.echo(f"time by {source}: {', '.join(labels)}")
        else:
            click.echo(f"time: not known of {', '.join(labels)}: no probe, no trial here, no step of the doctor")
    if made.doctor:
        click.echo(f"not used: {made.doctor}")


def _span(low: float, high: float) -> str:
    unit, each = ("seconds", 1) if high < 120 else ("minutes", 60) if high < 7200 else ("hours", 3600)
    digits = 0 if low / each >= 10 else 1
    return f"{low / each:.{digits}f} to {high / each:.{digits}f} {unit}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.1f} {unit}" if count < 10 and unit != "B" else f"{count:.0f} {unit}"


def _search(choice) -> dict:
    """A search as JSON values."""
    return {
        "methods": choice.labels,
        "budget": choice.budget,
        "dataset": choice.dataset,
        "done": len(choice.statuses) - choice.statuses.count(None),
        "points": [
            {"values": point, "val_R1": merit and merit[0], "val_mAP": merit and merit[1]}
            for point, merit in zip(choice.points, choice.merits, strict=True)
        ],
        "chosen": choice.chosen,
        "edges": choice.edges,
        "trials": choice.ids,
    }


def _say_searches(choices) -> None:
    """The first phase: what is tried on val for each method, and what was chosen."""
    click.echo("first phase, on val alone, with seeds of its own:")
    shared.say_table(
        ("search", "budget", "data set", "points", "done", "chosen"),
        (
            (
                *(", ".join(choice.labels), choice.budget, choice.dataset, len(choice.points)),
                f"{len(choice.statuses) - choice.statuses.count(None)} of {len(choice.statuses)}",
                _chosen(choice),
            )
            for choice in choices
        ),
        right=("points",),
    )
    click.echo("second phase, with the study's seeds:")


def _chosen(choice) -> str | None:
    if choice.open:
        return "failed trials" if {"failed", "lost"} & set(choice.statuses) else None
    if choice.chosen is None:
        return "no point has a score"
    values = (
        f"{k.rsplit('.', 1)[-1]} {v}" + " (edge)" * (k in choice.edges) for k, v in choice.points[choice.chosen].items()
    )
    return ", ".join(values)


def _error(solved: dict | None) -> str | None:
    """How far what was achieved is from the target."""
    return f"{100 * (solved['achieved'] / solved['target'] - 1):+.2f} %" if solved and solved["target"] else None


def _states(group: list[dict]) -> str:
    counts = Counter(row["state"] for row in group)
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{n} {state}" for state, n in counts.items())
