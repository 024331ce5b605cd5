"""`upbench schema`: the language of studies, for editors."""

from __future__ import annotations

import click

from harness.cli import shared


@click.command("schema")
def command() -> None:
    """Print a JSON Schema of study files, for editors: upbench schema > study.schema.json

    A study whose first line is `# yaml-language-server: $schema=study.schema.json` is completed and checked while it is
    written.
    """
    from harness.study import json_schema

    shared.say_json(json_schema.schema())
