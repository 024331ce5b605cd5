"""`upbench publish`: copy a study's results to the published ones."""

from __future__ import annotations

from dataclasses import asdict

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
@click.option("--partial", is_flag=True, help="publish a study that is not complete, as far as it has come")
@shared.store_option
@shared.json_option
def command(study, to, queries, models, partial, store, as_json) -> None:
    """Copy STUDY to the published results; studies measured on a clean commit only, and whole unless --partial.

    Published trials are written packed. `selected` keeps, per query, what the paired statistics of reports need;
    published/STUDY.json says what was kept.

    What --partial published is said to be partial wherever it is shown. Publishing again adds what is new. To go on in
    another store: upbench merge results/reference, then upbench run STUDY, which runs nothing that was published.
    """
    from harness.store.store import Store

    here, target = Store(store), Store(to)
    trials = publishable(here, study, partial)
    target.probe()
    before = target.size() if target.exists() else 0
    check(here, target, study, queries)
    merged = merge(target, here, [study], trials["id"], queries, packed=True, models=models)
    there = target.read(study, ("trials",), tuning=True)
    kept = len(target.models(there.trials["id"]))
    if not (conflicts := merged.conflicts()):
        target.state_published(study, _statement(there, queries, kept))
    grown = target.size() - before
    if as_json:
        told = {"study": study, "to": str(target.root), "queries": queries, "models": kept, "bytes": grown}
        shared.say_json({**told, "partial": there.partial and asdict(there.partial), **vars(merged)})
    else:
        click.echo(
            f"{study}: {merged.count('added')} trials copied to {to}, {merged.count('same')} were there; "
            f"{grown / 1e6:.2f} MB; kept: {KEPT[queries]}; {kept or 'no'} models"
        )
        if there.partial:
            click.echo(f"not complete: {there.partial.words}")
            click.echo(f"to go on elsewhere: upbench merge {to} && upbench run {study}")
    if conflicts:
        raise DataError("\n".join(conflicts), kept="what was published")


def _statement(there, queries: str, models: int) -> dict:
    """What is published of a study, as read from where it is."""
    trials = there.trials
    part = {"partial": asdict(there.partial)} if there.partial else {}
    told = f"Not complete: {there.partial.words}. " if there.partial else ""
    return {
        "trials": len(trials),
        **part,
        "commits": sorted(set(trials["commit"])),
        "releases": sorted(set(trials["release"].dropna())),
        "queries": queries,
        "models": models,
        "statement": f"{told}Scores, histories and costs of every trial are whole. Kept {KEPT[queries]}.",
    }


def check(here, target, study: str, queries: str) -> None:
    """Raise UserError unless what is published of a study already, if anything is, goes on to what is here."""
    if (said := target.publication(study)) is None or study not in target.studies():
        return
    if said["queries"] != queries:
        raise UserError(
            f"study '{study}' is published with other per-query records", where=target.root,
            expected=f"--queries {said['queries']}",
        )  # fmt: skip
    if target.compare(here, study) == "conflict":
        ours, theirs = here.declaration(study), target.declaration(study)
        if ours["study"] != theirs["study"]:
            raise UserError(f"another study '{study}' is published", where=target.root, expected="another name")
        one, two = ({trial["id"] for trial in declared["trials"]} for declared in (ours, theirs))
        alone = sorted(here.done(one - two) | target.done(two - one))
        raise UserError(
            f"study '{study}' does not go on from what is published of it: trials are measured for one that the other "
            f"does not know, such as {alone[0]}, by other code or data, or because they are not merged yet",
            where=target.root,
            expected=f"upbench merge {target.root}, then upbench run {study}",
        )


def publishable(store, study: str, partial: bool = False):
    """The trials of a study as a table, in the declared order; with `partial` those that are committed.

    Raises:
        UserError: trials are missing or may still follow, none is committed, or some were measured on uncommitted code.
        DataError: with `partial`, a committed trial is damaged.
    """
    import pandas as pd

    from harness.store import later

    results = store.read(study, ("trials",), tuning=True)
    whole = f"a whole study: upbench run {study}; or as far as it has come: --partial"
    if partial:
        _sound(store, study, results)
    elif results.missing:
        first = results.missing[0]
        raise UserError(
            f"{len(results.missing)} of {len(results.study['trials'])} trials of study '{study}' are missing, "
            f"such as {first['id']} ({first['why']})",
            where=store.root,
            expected=whole,
        )
    elif open_ := [trial["id"] for trial in results.study["trials"] if trial.get("phase") == "pilot"]:
        raise UserError(
            f"what {len(open_)} trials of pilots of study '{study}' ask for is not declared yet",
            where=store.root,
            expected=whole,
        )
    trials = results.trials
    if partial:
        trials = trials[trials["status"] != "lost"]  # these run again, under the same ids
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


def _sound(store, study: str, results) -> None:
    """Raise unless something is committed, and nothing of it damaged."""
    committed = store.done(trial["id"] for trial in results.missing)
    broken = [trial for trial in results.missing if trial["id"] in committed]
    if broken:
        raise DataError(
            f"{len(broken)} committed trials of study '{study}' are damaged, such as {broken[0]['id']} "
            f"({broken[0]['why']})",
            where=store.root,
            expected=f"sound trials: upbench run {study} sets damaged ones aside and runs them again",
        )
    if not (results.trials["status"] != "lost").any():
        raise UserError(f"no trial of study '{study}' is committed", where=store.root, expected=f"upbench run {study}")
