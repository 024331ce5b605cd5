"""`upbench list`: names and what they are."""

from __future__ import annotations

from typing import Any

import click

from harness import registry
from harness.api import asking
from harness.cli import shared
from harness.errors import UserError, nearest

KINDS = (*registry.PACKAGES, "studies", "results", "columns")


@click.command("list")
@click.argument("kind", metavar="KIND")
@shared.store_option
@shared.json_option
def command(kind, store, as_json) -> None:
    """List what is known of KIND, one line each.

    KIND is methods, datasets, shifts, metrics, figures, tables, checks, studies, results or columns.
    """
    if kind not in KINDS:
        raise UserError(f"nothing to list for '{kind}'", expected=", ".join(KINDS), nearest=nearest(kind, KINDS))
    rows: list[dict[str, Any]]
    if kind in registry.PACKAGES:
        rows = [{"name": name, "summary": registry.summary(kind, name)} for name in registry.names(kind)]
    elif kind == "studies":
        rows = [{"name": name, "summary": _question(path), "path": path} for name, path in asking.study_files().items()]
    elif kind == "results":
        from harness.store import declared
        from harness.store.store import Store

        results = Store(store)
        rows = []
        for name in results.studies():
            known = results.declaration(name)
            ids = {trial["id"] for trial in known["trials"]}
            partial = declared.partial(known, ids - results.done(ids))
            told = f"not complete, {partial.words}" if partial else f"{len(ids)} of {len(ids)} trials"
            rows.append({"name": name, "summary": f"{told}; {known['question']}"})
    else:
        from harness.store.schema import COLUMNS

        rows = [
            {"name": f"{table}.{name}", "summary": f"{type_}{', may be null' * null}: {meaning}"}
            for table, columns in COLUMNS.items()
            for name, type_, null, meaning in columns
        ]
    if as_json:
        shared.say_json([{key: str(value) for key, value in row.items()} for row in rows])
    elif rows:
        shared.say_table((kind, ""), ((row["name"], row["summary"]) for row in rows))
    else:
        click.echo(f"no {kind} here")


def _question(path) -> str:
    from harness.study import yaml

    return " ".join(str(yaml.read(path)[0].get("question", "")).split())
