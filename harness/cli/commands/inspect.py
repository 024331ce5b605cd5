"""`upbench inspect`: pictures, features and evidence of one trial."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import shared
from harness.errors import DataError, UserError
from harness.labels import bare


@click.command("inspect")
@click.argument("study")
@click.option("--trial", "ident", help="id of the trial, or its first digits")
@click.option("--method", help="label or method")
@click.option("--budget", help="as the study writes it")
@click.option("--dataset", help="data set trained on")
@click.option("--seed", type=int, help="default the lowest")
@click.option("--queries", type=click.IntRange(1, 50), default=6, show_default=True, help="captions to look at")
@click.option("--choice-seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="of the choice of captions and identities")  # fmt: skip
@click.option("--preset", default="wide", show_default=True, help="cvpr, ieee, wide or slides: the size of the figures")
@shared.data_option
@shared.store_option
@shared.json_option
def command(study, ident, method, budget, dataset, seed, queries, choice_seed, preset, data, store, as_json) -> None:
    """Write what the model of one trial of STUDY sees, after seeing that it measures what was committed.

    Its kept model is used; where there is none, the trial is trained again.

    The folder holds images of the data set: look at its licence before you show them. Publishing results leaves it out.
    """
    from harness.store.store import Store
    from reports import inspected
    from reports.drawing import style

    style.preset(preset)
    name = Path(study).stem if study.endswith((".yaml", ".yml")) else study
    here = Store(store)
    results = here.read(name)
    row = pick(results.trials, ident=ident, method=method, budget=budget, dataset=dataset, seed=seed)
    scores = results.scores
    of = (scores["id"] == row["id"]) & (scores["dataset"] == row["dataset"]) & (scores["split"] == "test")
    home = scores[of & (scores["direction"] == "t2i") & (scores["metric"] == "R1")]
    if not len(home):
        raise DataError(f"trial {row['id']} has no Rank-1 on test", where=store)
    kept = results.queries
    kept = kept[(kept["id"] == row["id"]) & (kept["dataset"] == row["dataset"]) & (kept["direction"] == "t2i")]
    ranks = kept["first"].to_numpy() if len(kept) else None
    rank1 = float(home["value"].iloc[0])
    if not as_json:
        at = f" at {row['budget']}" if isinstance(row["budget"], str) else ""
        click.echo(f"trial {row['id']}: {row['label']}{at} on {row['dataset']}, seed {row['seed']}, Rank-1 {rank1:.2f}")

    def tell(event: dict) -> None:
        if "epoch" in event and not as_json:
            click.echo(f"  trained again: epoch {event['epoch']} of {event['epochs']}", err=True)

    from harness.trial import inspection
    from harness.trial.kept import model

    gone = row["trained"] and not here.models([row["id"]])
    if not as_json:
        click.echo("its model was not kept, so it is trained again" if gone else "by its kept model")
    trained = None if gone else model.read(here, row["id"])
    place = inspection.inspect(row, ranks, rank1, Path(data), here.local, queries, choice_seed, tell, trained)
    paths = inspected.draw_all(inspected.load(place), place / "figures", preset)
    if as_json:
        shared.say_json({"study": name, "trial": row["id"], "folder": str(place), "paths": [str(p) for p in paths]})
        return
    click.echo(f"the same Rank-1; written to {place}")
    for path in paths:
        if path.suffix == ".pdf":
            click.echo(f"  {path}")
    click.echo("it contains images of the data set, under its terms; upbench publish leaves it out")


def pick(trials, **given):
    """The one trial that is meant, as a dict.

    Raises:
        UserError: none is left, or several that differ in more than their seed; names some.
    """
    some = trials[trials["status"] == "ok"]
    if given["ident"]:
        some = some[some["id"].str.startswith(given["ident"])]
    if given["method"]:
        some = some[(some["label"] == given["method"]) | (some["method"] == given["method"])]
    for key in ("budget", "seed"):
        if given[key] is not None:
            some = some[some[key] == given[key]]
    if given["dataset"]:
        some = some[[given["dataset"] in (label, bare(label)) for label in some["dataset"]]]
    asked = ", ".join(f"{key.replace('ident', 'trial')} {value}" for key, value in given.items() if value is not None)
    if not len(some):
        known = trials[trials["status"] == "ok"].head(5)
        raise UserError(f"no finished trial with {asked or 'a result'}", expected=f"such as {_names(known)}")
    if given["seed"] is None:
        some = some[some["seed"] == some["seed"].min()]
    if len(some) > 1:
        raise UserError(
            f"{len(some)} trials are meant{' by ' + asked if asked else ''}: {_names(some.head(5))}",
            expected="--trial, --method, --budget, --dataset or --seed that leaves one",
        )
    return some.iloc[0].to_dict()


def _names(some) -> str:
    return "; ".join(
        f"{r.id[:8]} {r.label}{f' {r.budget}' if isinstance(r.budget, str) else ''} {r.dataset} seed {r.seed}"
        for r in some.itertuples()
    )
