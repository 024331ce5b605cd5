"""`upbench evaluate`: measure the kept models of a study on further data sets."""

from __future__ import annotations

import time
from functools import partial

import click

from harness.api import measuring
from harness.cli import shared


@click.command("evaluate")
@click.argument("study")
@click.option(
    "--on", multiple=True, required=True, metavar="DATASET[:OPTIONS]",
    help="a data set, with options as a study's evaluate_on has them: 'rstpreid:{root: /data/RSTPReid}'",
)  # fmt: skip
@click.option("--executor", type=click.Choice(["ray", "serial"]), default="ray", show_default=True)
@click.option("--address", envvar="RAY_ADDRESS", metavar="ADDRESS", help="of a running Ray cluster: auto or HOST:PORT")
@click.option("--workers", type=click.IntRange(min=1), help="models side by side; default one per core or GPU")
@shared.store_option
@shared.data_option
@click.pass_context
def command(ctx, study, on, executor, address, workers, store, data) -> None:
    """Measure the kept models of STUDY on the test splits of further data sets; nothing is trained.

    What is measured already stays, and reports of STUDY show the rows. Stop with Ctrl-C; the same command continues.
    """
    measuring.evaluate(
        study,
        on,
        store=store,
        data=data,
        executor=executor,
        workers=workers,
        address=address,
        progress=True,
        tell=click.echo,
        warn=partial(click.echo, err=True),
        began=ctx.obj["began"] if ctx.obj else time.perf_counter(),
    )
