"""`upbench data`: check or make a data set."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import click

from harness import registry
from harness.commands import shared
from harness.errors import DataError, UserError


@click.group("data")
def command() -> None:
    """Check or make a data set."""


@command.command("make")
@click.argument("name")
@shared.data_option
@shared.set_option
def make(name, data, settings) -> None:
    """Draw the synthetic data set NAME below the data folder; what is there already stays."""
    module = registry.find("datasets", name)
    if not hasattr(module, "ladder"):
        drawn = [other for other in registry.names("datasets") if other.startswith("synth")]
        raise UserError(
            f"{name} cannot be made: {registry.summary('datasets', name)}", expected=f"one of {', '.join(drawn)}"
        )
    began = time.perf_counter()
    root, options = _place(module, data, settings)
    try:
        splits = module.load(root, **options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UserError(f"data set {name}: {error}", where="--set") from error
    shared.say_table(
        ("split", "identities", "images", "captions"),
        (
            (split, f"{len(part.persons):,}", f"{len(part.images):,}", f"{len(part.captions):,}")
            for split, part in splits.items()
        ),
        right=("identities", "images", "captions"),
    )
    click.echo(f"{name} is in {root} ({time.perf_counter() - began:.1f} s)")


@command.command("check")
@click.argument("name")
@click.option("--decode", is_flag=True, help="decode every picture, not only its header and its end")
@shared.data_option
@shared.set_option
@shared.json_option
def check(name, decode, data, settings, as_json) -> None:
    """Check the data set NAME: counts, files, captions, duplicates; for drawn ones also what perfect eyes reach."""
    from harness.data import check as checking

    root, options = _place(registry.find("datasets", name), data, settings)
    report = checking.check(name, root, options, decode=decode)
    if as_json:
        shared.say_json(report.json())
    else:
        for section, what, value in report.rows():
            head = f"{section:<8} {what:<13} "
            click.echo(textwrap.fill(value, 80, initial_indent=head, subsequent_indent=" " * len(head)))
    if not report.usable:
        first = next(finding for finding in report.findings if finding.level == "error")
        raise DataError(f"data set {name} cannot be used: {first.what}", where=root)


def _place(module, data: str, settings) -> tuple[Path, dict]:
    from harness.document import value

    options = {key: value(text) for key, text in shared.assignments(settings).items()}
    return Path(str(options.pop("root", Path(data) / module.FOLDER))), options
