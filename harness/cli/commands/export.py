"""`upbench export`: a kept model in a form that other libraries read."""

from __future__ import annotations

import click

from harness.cli import shared

FORMS = ("upbench", "open_clip", "huggingface", "peft")


@click.command("export")
@click.argument("trial")
@click.argument("folder", type=click.Path())
@click.option("--as", "form", type=click.Choice(FORMS), required=True, help="whose form it has")
@click.option(
    "--merge", is_flag=True, help="of upbench: fold into the weights what folds, and leave the backbone behind"
)
@shared.store_option
@shared.json_option
def command(trial: str, folder: str, form: str, merge: bool, store: str, as_json: bool) -> None:
    """Write the kept model of TRIAL, an id or its first digits, to a new FOLDER.

    open_clip and huggingface are models with the method folded into their weights, peft is an adapter; a part that has
    no place there is named. upbench loads every method again, as backbone: FOLDER.
    """
    from harness.api import exporting

    files = exporting.export(trial, folder, form, merge=merge, store=store)
    if as_json:
        shared.say_json({"form": form, "files": {str(path): path.stat().st_size for path in files}})
        return
    for path in files:
        click.echo(f"{path}  {path.stat().st_size:,} bytes")
