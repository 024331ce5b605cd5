"""`upbench check-method`: every promise of a method that is not part of the package."""

from __future__ import annotations

import json

import click

from harness.errors import RunFailed, UserError


@click.command("check-method")
@click.argument("file")
@click.option("--options", metavar="JSON", default="{}", help="options of the method, as JSON")
def command(file, options) -> None:
    """Ask every promise of the method in FILE, a Python file or a known name. Exit code 5 when one is broken."""
    try:
        given = json.loads(options)
    except json.JSONDecodeError as error:
        raise UserError(f"no JSON: {error}", "--options", '{"option": value}') from error
    if not isinstance(given, dict):
        raise UserError(f"{options} is no mapping", "--options", '{"option": value}')
    import torch

    from harness.adaptation import check

    torch.set_num_threads(1)
    results = check.check(file, given)
    click.echo(check.report(results))
    if broken := [result.promise for result in results if result.kept is False]:
        raise RunFailed(f"{file} breaks {', '.join(broken)}")
