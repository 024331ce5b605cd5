"""`upbench power`: how many seeds and how many identities a difference takes, from what a study has."""

from __future__ import annotations

import math
from pathlib import Path

import click

from harness.cli import shared
from harness.errors import DataError, UserError


@click.command("power")
@click.argument("study")
@click.option("--detect", type=float, required=True, metavar="POINTS", help="difference of Rank-1 that is to be seen")
@click.option(
    "--of", type=click.Choice(["mean", "difference"]),
    help="of a mean from a given number, or of two methods  [default: mean; difference with --to]",
)  # fmt: skip
@click.option("--to", metavar="LABEL", help="what the others are compared with  [default: the best at each budget]")
@shared.store_option
@shared.json_option
def command(study, detect, of, to, store, as_json) -> None:
    """Say how many seeds, and how many identities, a difference takes.

    What is committed of STUDY is the pilot. On these queries more seeds always do in the end; for other people too
    they may never, and a larger test set is what is needed.
    """
    if not (math.isfinite(detect) and detect > 0):
        raise UserError(f"{detect:g} points", "--detect", "a number above 0")
    if of == "mean" and to is not None:
        raise UserError("a mean is compared with nothing", "--to", "--of difference")
    from harness.store.store import Store
    from reports.spread.power import answers, words

    of = of or ("mean" if to is None else "difference")
    name = Path(study).stem if study.endswith((".yaml", ".yml")) else study
    results = Store(store).read(name)
    if not len(results.trials):
        raise DataError(f"no trial of study '{name}' is committed", where=store, expected=f"upbench run {study} first")
    found = answers(results, detect, of, to)
    if as_json:
        shared.say_json({"study": name, "metric": "R1", "detect": detect, "of": of, "to": to, "level": 0.05,
                         "power": 0.8, "missing": len(results.missing),
                         "cells": [one.as_dict() for one in found]})  # fmt: skip
        return
    click.echo(words(found, detect))
    if results.missing:
        click.echo(f"\n{len(results.missing)} of {len(results.study['trials'])} trials are missing; this may change")
