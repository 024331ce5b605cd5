"""`upbench publish`: copy a study's results to the published ones."""

from __future__ import annotations

import click

from harness.cli import shared
from harness.cli.commands.merge import merge
from harness.errors import DataError, UserError

KEPT = {
    "all": "all per-query records",
    "selected": "of the per-query records those of text to image, which the paired statistics read",
    "none": "no per-query records: means over seeds can be drawn, paired statistics cannot",
}


@click.command("publish")
@click.argument("study")
@click.option("--to", default="results/reference", show_default=True, help="store under version control")
@click.option(
    "--queries", type=click.Choice(list(KEPT)), default="selected", show_default=True,
    help="per-query records to publish; they are most of the bytes",
)  # fmt: skip
@click.option("--models", is_flag=True, help="publish what was trained, too; it is left out unless asked for")
@shared.store_option
@shared.json_option
def command(study, to, queries, models, store, as_json) -> None:
    """Copy STUDY to the published results; whole studies measured on a clean commit only.

    Published trials are written packed. `selected` keeps, per query, what the paired statistics of reports need;
    published/STUDY.json says what was kept.
    """
    from harness.store.store import Store

    here, target = Store(store), Store(to)
    trials = publishable(here, study)
    target.probe()
    before = target.size() if target.exists() else 0
    merged = merge(target, here, [study], trials["id"], queries, packed=True, models=models)
    kept = len(target.models(trials["id"]))
    if not (conflicts := merged.conflicts()):
        target.state_published(study, _statement(trials, queries, kept))
    grown = target.size() - before
    if as_json:
        told = {"study": study, "to": str(target.root), "queries": queries, "models": kept, "bytes": grown}
        shared.say_json({**told, **vars(merged)})
    else:
        click.echo(
            f"{study}: {merged.count('added')} trials copied to {to}, {merged.count('same')} were there; "
            f"{grown / 1e6:.2f} MB; kept: {KEPT[queries]}; {kept or 'no'} models"
        )
    if conflicts:
        raise DataError("\n".join(conflicts), kept="what was published")


def _statement(trials, queries: str, models: int) -> dict:
    return {
        "trials": len(trials),
        "commits": sorted(set(trials["commit"])),
        "releases": sorted(set(trials["release"].dropna())),
        "queries": queries,
        "models": models,
        "statement": f"Scores, histories and costs of every trial are whole. Kept {KEPT[queries]}.",
    }


def publishable(store, study: str):
    """The trials of a study as a table, in the declared order.

    Raises:
        UserError: trials are missing or may still follow, or some were measured on uncommitted code.
    """
    import pandas as pd

    from harness.store import later

    results = store.read(study, ("trials",), tuning=True)
    if results.missing:
        first = results.missing[0]
        raise UserError(
            f"{len(results.missing)} of {len(results.study['trials'])} trials of study '{study}' are missing, "
            f"such as {first['id']} ({first['why']})",
            where=store.root,
            expected=f"a whole study: upbench run {study}",
        )
    if open_ := [trial["id"] for trial in results.study["trials"] if trial.get("phase") == "pilot"]:
        raise UserError(
            f"what {len(open_)} trials of pilots of study '{study}' ask for is not declared yet",
            where=store.root,
            expected=f"a whole study: upbench run {study}",
        )
    trials = results.trials
    behind = store.measured(later.behind(store.files, trials["id"]), ("trials",))["trials"]
    every = pd.concat([trials, behind[behind["phase"] == later.PHASE]]) if len(behind) > len(trials) else trials
    dirty = every["id"][every["commit"].isna() | (every["dirty"].astype(object) != False)]  # noqa: E712
    if len(dirty):
        raise UserError(
            f"{len(dirty)} of {len(every)} trials of study '{study}' were measured on uncommitted code, "
            f"such as {dirty.iloc[0]}",
            where=store.root,
            expected="trials that ran from a clean commit",
        )
    return trials
