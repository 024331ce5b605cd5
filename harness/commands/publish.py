"""`upbench publish`: copy a study's results to the published ones."""

from __future__ import annotations

import click

from harness.commands import shared
from harness.commands.merge import merge
from harness.errors import DataError, UserError


@click.command("publish")
@click.argument("study")
@click.option("--to", default="results/reference", show_default=True, help="store under version control")
@shared.store_option
@shared.json_option
def command(study, to, store, as_json) -> None:
    """Copy the shards of STUDY to the published results; whole studies measured on a clean commit only."""
    from harness.store import Store

    here, target = Store(store), Store(to)
    ids = publishable(here, study)
    target.probe()
    merged = merge(target, here, [study], ids)
    if as_json:
        shared.say_json({"study": study, "to": str(target.root), **vars(merged)})
    else:
        click.echo(f"{study}: {merged.count('added')} trials copied to {to}, {merged.count('same')} were there")
    if conflicts := merged.conflicts():
        raise DataError("\n".join(conflicts), kept="what was published")


def publishable(store, study: str) -> list[str]:
    """Ids of a study's trials.

    Raises:
        UserError: trials are missing, or some were measured on uncommitted code.
    """
    results = store.read(study, ("trials",))
    if results.missing:
        first = results.missing[0]
        raise UserError(
            f"{len(results.missing)} of {len(results.study['trials'])} trials of study '{study}' are missing, "
            f"such as {first['id']} ({first['why']})",
            where=store.root,
            expected=f"a whole study: upbench run {study}",
        )
    trials = results.trials
    dirty = trials["id"][trials["commit"].isna() | (trials["dirty"].astype(object) != False)]  # noqa: E712
    if len(dirty):
        raise UserError(
            f"{len(dirty)} of {len(trials)} trials of study '{study}' were measured on uncommitted code, "
            f"such as {dirty.iloc[0]}",
            where=store.root,
            expected="trials that ran from a clean commit",
        )
    return list(trials["id"])
