"""Putting trials together in packs.

A pack is written and read back before what it was made of is removed, so a crash leaves a trial in two places and never
in none; a reader takes the first place it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DataError
from harness.store.files import claims, models, packs, shards
from harness.store.files.checksummed import NewerSchema
from harness.store.files.packs import FOLDER, GONE, Entry, Index, Tables

WAIT_SECONDS = 60.0


@dataclass
class Compacted:
    """What a compaction did: trials by where they were, packs written, and damaged trials that were left alone."""

    packs: list[str] = field(default_factory=list)
    trials: int = 0
    from_shards: int = 0
    old_packs: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


@contextmanager
def alone(files: Any) -> Iterator[None]:
    """Keep a compaction and what would take trials away from it apart."""
    what = "the store is being compacted"
    with claims.wait(files, "compact", WAIT_SECONDS, what):
        yield


def compact(files: Any, order: Iterable[str], told: Callable[[int], None] = lambda trials: None) -> Compacted:
    """Put all shards and small packs into few packs, then remove them.

    Args:
        files: Where the store is.
        order: Ids in the order in which they will be read; others follow.
        told: Called with the number of trials packed so far.
    """
    with alone(files):
        return _compact(files, order, told)


def _compact(files: Any, order: Iterable[str], told: Callable[[int], None]) -> Compacted:
    done, loose = Compacted(), set(files.shards("trials"))
    known, bad = packs.catalogue(files)
    packs.refuse(bad)
    # Whole packs stay; of the others, and of those that lost a trial, new ones are made.
    small = {name: of for name, of in known.items() if len(of.at) < len(of.kept) or _small(of)}
    if not loose and (len(small) < 2 and all(len(of.at) == len(of.kept) for of in small.values())):
        return done
    inside = {ident: name for name, of in small.items() for ident in of.at}
    elsewhere = {ident: name for name, of in known.items() if name not in small for ident in of.at}
    sound: dict[str, bool] = {}
    places = {ident: "trials" for ident in loose} | {i: p for i, p in inside.items() if i not in loose}
    ids = [ident for ident in dict.fromkeys([*order, *sorted(places)]) if ident in places]

    opened: dict[str, Tables] = {}
    kept_packs: set[str] = set()
    batch: list[Entry] = []
    new: set[str] = set()

    def flush() -> None:
        if batch:
            new.add(packs.write(files, batch))
            _drop(files, [entry.id for entry in batch if entry.id in loose], done)
            done.trials += len(batch)
            told(done.trials)
            batch.clear()

    rows = 0
    for ident in ids:
        try:
            if places[ident] == "trials":
                if ident in elsewhere:  # an earlier compaction stopped before it removed this shard
                    name = elsewhere[ident]
                    if name not in sound:
                        sound[name] = _is_sound(files, name)
                    if sound[name]:
                        _drop(files, [ident], done)
                    continue
                entry = packs.of_shard(files, ident)
                if entry.model:
                    models.place(files, ident, shards.model(files, f"trials/{ident}"))
            else:
                name = places[ident]
                if name not in opened:
                    opened[name] = packs.tables(files, name)
                entry = packs.of_pack(small[name], opened[name], ident)
        except NewerSchema:
            raise
        except DataError as error:
            done.damaged[ident] = str(error)
            kept_packs.add(places[ident])
            continue
        if batch and (len(batch) >= packs.MOST_TRIALS or rows + len(entry.tables["queries"]) > packs.MOST_ROWS):
            flush()
            rows = 0
        batch.append(entry)
        rows += len(entry.tables["queries"])
    flush()
    for name in small:
        if name not in kept_packs and name not in new:
            files.remove_shard(f"{FOLDER}/{name}")
            done.old_packs += 1
            for mark in [mark for mark in files.names(GONE) if mark.split("~")[0] == name]:
                files.remove(f"{GONE}/{mark}")
    done.packs = sorted(new)
    return done


def _small(of: Index) -> bool:
    return len(of.at) < packs.MOST_TRIALS / 2 and of.ends["queries"][-1] < packs.MOST_ROWS / 2


def _is_sound(files: Any, name: str) -> bool:
    try:
        return bool(packs.tables(files, name))
    except NewerSchema:
        raise
    except DataError:
        return False


def _drop(files: Any, idents: Sequence[str], done: Compacted) -> None:
    for ident in idents:
        # A commit looks for its trial under this lock, first among the shards, then in the packs.
        with files.lock():
            files.remove_shard(f"trials/{ident}")
        done.from_shards += 1
