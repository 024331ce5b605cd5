"""`upbench merge`: take over the results of other stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import click

from harness.commands import shared
from harness.errors import DataError


@dataclass(frozen=True)
class Merged:
    """What became of each trial and declaration: id or name -> "added", "same" or "conflict" (ours stayed)."""

    trials: dict[str, str] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)

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


def merge(ours, theirs, studies: Iterable[str], trials: Iterable[str]) -> Merged:
    """Take trials, then the declarations that speak of them, from the store `theirs` into `ours`."""
    merged = Merged({ident: ours.take(theirs, ident) for ident in sorted(trials)})
    merged.studies.update({name: ours.take_study(theirs, name) for name in studies})
    return merged


@click.command("merge")
@click.argument("sources", nargs=-1, required=True)
@shared.store_option
@shared.json_option
def command(sources, store, as_json) -> None:
    """Take over trials and studies of other stores.

    Nothing here is overwritten. A trial that both stores measured is the same when its scores and queries are equal;
    otherwise it is a conflict: it is shown, and the one here stays.
    """
    from harness.store import Store

    here = Store(store)
    here.probe()
    told, conflicts = [], []
    for source in sources:
        other = Store(source)
        if not (other.root / "trials").is_dir():
            raise DataError("no result store", where=source, expected="a folder with trials/ and studies/")
        merged = merge(here, other, other.studies(), other.ids())
        told.append({"source": str(other.root), **vars(merged)})
        conflicts += merged.conflicts()
        if not as_json:
            added = sum(verdict == "added" for verdict in merged.studies.values())
            click.echo(
                f"{source}: {merged.count('added')} trials added, {merged.count('same')} the same, "
                f"{merged.count('conflict')} in conflict; {added} studies added"
            )
    if as_json:
        shared.say_json(told)
    if conflicts:
        raise DataError("\n".join(conflicts), kept="what was here, and all that was added")
