"""What several commands share: options, tables and JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from harness.api import asking
from harness.errors import EnvironmentFault, UserError

if TYPE_CHECKING:
    import torch


def _remember(ctx: click.Context, param: click.Parameter, value: str) -> str:
    # Where an unforeseen error may leave its log.
    if isinstance(ctx.obj, dict):
        ctx.obj[param.name] = value
    return value


store_option = click.option(
    "--store", envvar=asking.STORE_VARIABLE, default=asking.STORE, show_default=True, callback=_remember,
    help="folder of results, or s3://BUCKET/PREFIX",
)  # fmt: skip
data_option = click.option(
    "--data", envvar=asking.DATA_VARIABLE, default=asking.DATA, show_default=True, help="folder of data sets"
)
json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="replace a value of the study, such as recipe.lr=1e-3"
)
seeds_option = click.option("--seeds", type=click.IntRange(1, asking.SEEDS), help="this many seeds, counted from 0")
many_option = click.option("--many", is_flag=True, help="allow more than 10,000 trials")
_model = (
    click.option(
        "--model", "model", metavar="MODEL", required=True,
        help="id of a trial, an exported folder, a file or folder of weights, or a shipped backbone",
    ),
    click.option("--activation", type=click.Choice(["auto", "gelu", "quick_gelu"]), default="auto", show_default=True,
                 help="of a file of weights that does not tell it"),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
)  # fmt: skip


def model_options(command):
    """Which model a command uses, and where."""
    for option in reversed(_model):
        command = option(command)
    return command


def assignments(settings: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a dict.

    Raises:
        UserError: no equals sign, or a key given twice.
    """
    values: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"'{text}' sets nothing", where="--set", expected="KEY=VALUE")
        if key in values:
            raise UserError(f"'{key}' is set twice", where="--set")
        values[key] = value
    return values


UNCUT = 10_000  # columns where there is no terminal


def device(name: str) -> torch.device:
    """The device that "auto", "cpu" or "cuda" means here.

    Raises:
        EnvironmentFault: "cuda" without a CUDA device.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise EnvironmentFault("no CUDA device is available", "--device", "cpu")
    return torch.device(("cuda" if there else "cpu") if name == "auto" else name)


def say_json(value: object) -> None:
    """Print as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def say_table(header: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print aligned columns, cut to a terminal's width not in a file or pipe; `right` names those set flush right."""
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    width = shutil.get_terminal_size((UNCUT, 24)).columns
    for row in [list(header), *cells]:
        line = "  ".join(
            cell.rjust(size) if name in right else cell.ljust(size)
            for cell, size, name in zip(row, widths, header, strict=True)
        ).rstrip()
        click.echo(line if len(line) <= width else line[: width - 1] + "…")
