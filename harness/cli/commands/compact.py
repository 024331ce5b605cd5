"""`upbench compact`: put the trials of a store together in few files."""

from __future__ import annotations

import click

from harness.cli import shared
from harness.errors import DataError


@click.command("compact")
@shared.store_option
@shared.json_option
def command(store, as_json) -> None:
    """Put the trials of a store together in few files, which are read many times faster.

    Worth it from some thousand trials on. Nothing else changes: what is done stays done, and runs may go on meanwhile.
    What a trial was kept in is removed only after the new file is committed, read back and found equal.
    """
    from harness.store.store import Store

    results = Store(store)
    if not results.exists():
        raise DataError("no result store", where=results.root, expected="a place with trials/ and studies/")
    results.probe()
    before = results.size()
    done = results.compact()
    after = results.size()
    if as_json:
        shared.say_json({**vars(done), "bytes_before": before, "bytes_after": after})
    elif done.trials or done.from_shards:
        click.echo(
            f"{done.trials} trials in {len(done.packs)} pack{'s' * (len(done.packs) != 1)}, from {done.from_shards} "
            f"shards and {done.old_packs} older packs; {before / 1e6:.1f} MB became {after / 1e6:.1f} MB"
        )
    else:
        click.echo("nothing to put together")
    if done.damaged:
        raise DataError(
            "\n".join(f"trial {ident} stays where it is: {why}" for ident, why in done.damaged.items()),
            kept="all of them; upbench run sets damaged trials of a study aside and runs them again",
        )
