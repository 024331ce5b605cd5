"""`upbench recommend`: which method and budget for a limit, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import shared
from harness.errors import DataError


@click.command("recommend")
@click.argument("study")
@click.option("--parameters", help="most trained parameters: a share like 1%, or a count like 300k or 2M")
@click.option("--memory", help="most memory at the peak of training, such as 2GB or 512MiB")
@click.option("--seconds", help="most time of the whole trial on the study's hardware, such as 60, 5min or 2h")
@click.option("--metric", default="R1", show_default=True, help="what is to be high: R1, R5, R10, mAP or mINP")
@click.option("--dataset", help="one data set; default each")
@shared.store_option
@shared.json_option
def command(study, parameters, memory, seconds, metric, dataset, store, as_json) -> None:
    """Say which method and budget of STUDY to take within limits, from what is committed.

    Methods are compared on the same queries and seeds; what cannot be told apart is said to be so.
    """
    from harness.errors import UserError, nearest
    from harness.store.store import Store
    from reports.compare import VALUES
    from reports.limits import parse
    from reports.recommend import recommend

    if metric not in VALUES:
        raise UserError(f"unknown metric '{metric}'", expected=", ".join(VALUES), nearest=nearest(metric, VALUES))
    given = (("parameters", parameters), ("memory", memory), ("seconds", seconds))
    limits = [parse(kind, text) for kind, text in given if text is not None]
    name = Path(study).stem if study.endswith((".yaml", ".yml")) else study
    results = Store(store).read(name)
    if not len(results.trials):
        raise DataError(f"no trial of study '{name}' is committed", where=store, expected=f"upbench run {study} first")
    advice = recommend(results, metric=metric, dataset=dataset, limits=limits)
    if as_json:
        shared.say_json({"study": name, "metric": metric, "missing": len(results.missing),
                         "advice": [one.as_dict() for one in advice]})  # fmt: skip
        return
    click.echo("\n\n".join(one.words(metric) for one in advice))
    if results.missing:
        of = len(results.study["trials"])
        click.echo(f"\n{len(results.missing)} of {of} trials are missing; the advice may change")
    elif results.partial:
        click.echo(f"\nthe study is not complete ({results.partial.words}); the advice may change")
