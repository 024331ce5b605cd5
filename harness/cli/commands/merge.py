"""`upbench merge`: take over the results of other stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import click

from harness.cli import shared
from harness.errors import DataError


@dataclass(frozen=True)
class Merged:
    """What became of each trial and declaration: id or name -> "added", "same" or "conflict" (ours stayed).

    `runs` counts the run records added, by study.
    """

    trials: dict[str, str] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)

    def count(self, verdict: str) -> int:
        """Trials with this verdict."""
        return sum(v == verdict for v in self.trials.values())

    def conflicts(self) -> list[str]:
        """One line each."""
        return [
            f"{kind} {name} differs; the one here stays"
            for kind, verdicts in (("trial", self.trials), ("study", self.studies))
            for name, verdict in verdicts.items()
            if verdict == "conflict"
        ]


def merge(
    ours,
    theirs,
    studies: Iterable[str],
    trials: Iterable[str],
    queries: str = "all",
    packed: bool = False,
    models: bool = True,
) -> Merged:
    """Take trials, then the declarations that speak of them and the records of their runs, from `theirs` into `ours`.

    `queries`, `packed` and `models` as `Store.take_all` has them.
    """
    merged = Merged(ours.take_all(theirs, trials, queries, packed, models))
    for name in studies:
        merged.studies[name] = ours.take_study(theirs, name)
        merged.runs[name] = ours.take_runs(theirs, name)
    return merged


@click.command("merge")
@click.argument("sources", nargs=-1, required=True)
@shared.store_option
@shared.json_option
def command(sources, store, as_json) -> None:
    """Take over trials, studies and records of runs from other stores, folders or URLs.

    \b
    A trial that is not here         is copied with its model, every byte checked
    one here with equal scores and   stays; timings may differ, as they do from
      per-query records                machine to machine
    one here with other scores       is a conflict: shown, the one here stays
    a study that is not here         is copied; an equal one stays; of one that
                                       goes on, the one further on is kept;
                                       another one under the same name is a
                                       conflict
    a record of a run                is added under a new number, once

    Nothing here is overwritten or removed.
    """
    from harness.store.store import Store

    here = Store(store)
    here.probe()
    told, conflicts = [], []
    for source in sources:
        other = Store(source)
        if not other.exists():
            raise DataError("no result store", where=source, expected="a folder with trials/ and studies/")
        merged = merge(here, other, other.studies(), sorted(other.ids()))
        told.append({"source": str(other.root), **vars(merged)})
        conflicts += merged.conflicts()
        if not as_json:
            added = sum(verdict == "added" for verdict in merged.studies.values())
            click.echo(
                f"{source}: {merged.count('added')} trials added, {merged.count('same')} the same, "
                f"{merged.count('conflict')} in conflict; {added} studies added, "
                f"{sum(merged.runs.values())} records of runs"
            )
    if as_json:
        shared.say_json(told)
    if conflicts:
        raise DataError("\n".join(conflicts), kept="what was here, and all that was added")
