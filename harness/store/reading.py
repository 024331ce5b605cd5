"""Reading trials wherever they are, shard or pack, while others commit, compact and take aside."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from harness import parallel
from harness.errors import DataError
from harness.store import schema
from harness.store.files import packs, shards
from harness.store.files.checksummed import NewerSchema
from harness.store.files.packs import FILES, TABLES, Entry, Index, Tables

MANY, CHUNK, FORKS = 1000, 250, 4  # shards from which forks read them, shards at a time, most forks
NOT_RUN = "not run"  # how the reason of a trial begins that is not committed
LOOKS = 20  # at a store that is being compacted, until reading gives up


def ids(files: Any, fresh: bool = False) -> set[str]:
    """Ids of all committed trials.

    Raises:
        DataError: a pack is so damaged that its trials cannot be named.
    """
    # Shards first: compaction makes a pack visible before it removes a shard, so a trial cannot slip through.
    loose = set(files.shards("trials"))
    found, damaged = packs.catalogue(files, fresh)
    packs.refuse(damaged)
    return loose.union(*(of.at for of in found.values()))


def read(files: Any, wanted: Iterable[str], tables: Sequence[str]) -> tuple[Tables, dict[str, str]]:
    """Tables of the committed trials among `wanted`, in their order, and why the others are missing."""
    wanted = list(wanted)
    places: dict[str, Tables | tuple[str, int] | str] = {}  # its tables, its pack and position, or why it is missing
    opened: dict[str, Tables | str] = {}
    indices: dict[str, Index] = {}
    open_ids = wanted
    for _ in range(LOOKS):
        loose = set(files.shards("trials"))
        found, damaged = packs.catalogue(files)
        held = {ident: name for name, of in found.items() for ident in of.at}
        again: list[str] = []
        here = [ident for ident in open_ids if ident in loose]
        for ident, new in zip(here, _shards(files, here, tables, opened, indices), strict=True):
            places[ident] = new
        for ident in open_ids:
            got = places.get(ident) if ident in loose else None
            if isinstance(got, dict | tuple):
                continue
            if ident not in held:
                if ident in loose:
                    if got == "":
                        again.append(ident)
                else:
                    places[ident] = f"{NOT_RUN}, unless it is in a damaged pack: {next(iter(damaged.values()))}" if (
                        damaged
                    ) else NOT_RUN  # fmt: skip
                continue
            name = held[ident]
            if name not in opened:
                try:
                    opened[name], indices[name] = packs.tables(files, name, tables), found[name]
                except shards.Gone:
                    again.append(ident)
                    continue
                except NewerSchema:
                    raise
                except DataError as error:
                    opened[name] = str(error)
            broken = isinstance(opened[name], str)
            places[ident] = (got or opened[name]) if broken else (name, found[name].at[ident])
        if not (open_ids := again):
            break
    else:
        raise DataError(f"trial {open_ids[0]} was moved {LOOKS} times while it was read", where=files.where())
    missing = {ident: place for ident in wanted if isinstance(place := places[ident], str)}
    parts: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for part in _segments([places[i] for i in wanted if i not in missing], indices, opened):
        for name, table in part.items():
            parts[name].append(table)
    merged = {n: pa.concat_tables(some) if some else schema.SCHEMAS[n].empty_table() for n, some in parts.items()}
    return merged, missing


def _shards(
    files: Any, idents: Sequence[str], tables: Sequence[str], opened: dict[str, Any], indices: dict[str, Index]
) -> Iterable[Tables | tuple[str, int] | str]:
    """Tables of shards, or where they are among those added to `opened` and `indices`, or why they cannot be read; an
    empty text where the shard is gone."""
    # Opening a small file is the interpreter's work, which threads cannot share, so many files are read in forks.
    workers = min(parallel.processors(), FORKS) if files.here and len(idents) >= MANY else 1
    if workers > 1 and parallel.forkable():
        parts = [idents[k : k + CHUNK] for k in range(0, len(idents), CHUNK)]
        for part, got in zip(parts, parallel.each(partial(_sent, files, tables), parts, workers), strict=True):
            if got is None:
                yield from (_shard(files, tables, ident) for ident in part)
                continue
            name = f"shards/{part[0]}"  # no pack has a name with a slash
            opened[name] = got[0]
            indices[name], placed = _received(got[0], got[1], name)
            yield from placed
        return
    with ThreadPoolExecutor(max_workers=files.readers) as pool:
        yield from pool.map(partial(_shard, files, tables), idents)


def _shard(files: Any, tables: Sequence[str], ident: str) -> Tables | str:
    try:
        found = shards.read(files, f"trials/{ident}", [FILES[name] for name in tables])
        return {name: schema.conform(name, found[FILES[name]]) for name in tables}
    except NewerSchema:
        raise
    except shards.Gone:
        return ""
    except DataError as error:
        return str(error)


def _sent(files: Any, tables: Sequence[str], idents: Sequence[str]) -> tuple[Tables, list[dict[str, int] | str]] | None:
    """Shards put together, as one process hands many to another, and the rows of each or why it cannot be read; None
    where the reader itself must meet the fault."""
    try:
        found = [_shard(files, tables, ident) for ident in idents]
    except DataError:
        return None
    sound = [one for one in found if not isinstance(one, str)]
    merged = {n: pa.concat_tables(one[n] for one in sound).combine_chunks() for n in tables} if sound else {}
    return merged, [one if isinstance(one, str) else {name: len(one[name]) for name in tables} for one in found]


def _received(
    merged: Tables, found: list[dict[str, int] | str], name: str
) -> tuple[Index, list[tuple[str, int] | str]]:
    """What `_sent` put together as if it were a pack called `name`, and the place of each shard in it."""
    rows = [one for one in found if not isinstance(one, str)]
    ends = {n: np.concatenate([[0], np.cumsum([one[n] for one in rows], dtype=int)]) for n in merged}
    turn = itertools.count()
    return Index({}, ends, []), [one if isinstance(one, str) else (name, next(turn)) for one in found]


def _segments(places: Sequence[Any], indices: dict[str, Index], opened: dict[str, Any]) -> Iterable[Tables]:
    """Tables in order; neighbours in a pack as one slice, so that a pack read in its own order is not cut up."""
    run: tuple[str, int, int] | None = None
    for place in [*places, None]:
        if run and isinstance(place, tuple) and place == (run[0], run[2] + 1):
            run = (run[0], run[1], place[1])
            continue
        if run:
            yield indices[run[0]].cut(opened[run[0]], run[1], run[2])
        run = (*place, place[1]) if isinstance(place, tuple) else None
        if isinstance(place, dict):
            yield place


class Entries:
    """Single trials with all their tables, for copying; the last few packs stay open."""

    def __init__(self, files: Any) -> None:
        self.files = files
        self._tables = lru_cache(maxsize=2)(lambda name: packs.tables(files, name))
        self.packed: dict[str, str] = {}
        self.loose = set(files.shards("trials"))
        found, damaged = packs.catalogue(files)
        packs.refuse(damaged)
        self._found = found
        for name, of in found.items():
            self.packed |= {ident: name for ident in of.at if ident not in self.loose}

    def order(self, idents: Iterable[str]) -> list[str]:
        """Ids in their order, but those of one pack together, so that every pack is opened once."""
        return sorted(idents, key=lambda ident: self.packed.get(ident, ""))

    def __contains__(self, ident: str) -> bool:
        return ident in self.loose or ident in self.packed

    def __getitem__(self, ident: str) -> Entry:
        """As it is copied; DataError when it is damaged."""
        if ident in self.loose:
            return packs.of_shard(self.files, ident)
        name = self.packed[ident]
        return packs.of_pack(self._found[name], self._tables(name), ident)
