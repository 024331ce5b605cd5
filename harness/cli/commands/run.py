"""`upbench run`: run what is not done yet of a study."""

from __future__ import annotations

import time
from functools import partial

import click

from harness.api import running
from harness.cli import shared
from harness.errors import UserError


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
@shared.many_option
@click.pass_context
def command(
    ctx,
    study,
    executor,
    address,
    log,
    gpu_share,
    workers,
    retry_failed,
    accept_drift,
    store,
    data,
    settings,
    seeds,
    many,
) -> None:
    """Run what is not done yet of STUDY, a YAML file or a name.

    Every trial is kept as soon as it is finished. Stop with Ctrl-C; the same command continues.
    """
    running.run(
        study,
        shared.assignments(settings),
        store=store,
        data=data,
        seeds=seeds,
        executor=executor,
        workers=workers,
        address=address,
        log=log,
        gpu_share=_share(gpu_share),
        retry_failed=retry_failed,
        accept_drift=accept_drift,
        many=many,
        progress=True,
        tell=click.echo,
        warn=partial(click.echo, err=True),
        began=ctx.obj["began"] if ctx.obj else time.perf_counter(),
    )


def _share(text: str | None) -> float | str | None:
    try:
        value = text if text is None or text == "auto" else float(text)
    except ValueError:
        value = -1.0
    if isinstance(value, float) and not 0 < value <= 1:
        raise UserError(f"'{text}' is no share of a GPU", where="--gpu-share", expected="auto, or more than 0 to 1")
    return value
