"""Many trials in one shard: `packs/<name>/`, the four tables one after another, and an index of rows by trial.

A pack is written and read back before what it was made of is removed, so a crash leaves a trial in two places and never
in none; a reader takes the first place it finds. A trial taken out of a pack is named in `gone/<pack>~<id>`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from harness.errors import DataError
from harness.store import schema
from harness.store.files import claims, shards
from harness.store.files.checksummed import NewerSchema

FOLDER, GONE = "packs", "gone"
FILES = {"trials": "trial", "scores": "scores", "history": "history", "queries": "queries"}
TABLES = tuple(FILES)
MOST_TRIALS, MOST_ROWS = 5_000, 4_000_000  # of a pack, so that one fits in memory
WAIT_SECONDS = 60.0

INDEX = pa.schema([("id", pa.string()), *((name, pa.int64()) for name in TABLES), ("kept", pa.string())])

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class Index:
    """Which trials a pack holds, and where their rows are.

    Attributes:
        at: Position by trial id.
        ends: By table, the row after the last of each position, with a zero before the first [trials + 1].
        kept: Which per-query records each position holds: all, selected or none.
    """

    at: dict[str, int]
    ends: dict[str, np.ndarray]
    kept: list[str]

    def cut(self, tables: Tables, first: int, last: int) -> Tables:
        """The rows of positions first..last, both included."""
        return {
            name: table.slice(self.ends[name][first], self.ends[name][last + 1] - self.ends[name][first])
            for name, table in tables.items()
        }


@dataclass
class Compacted:
    """What a compaction did: trials by where they were, packs written, and damaged trials that were left alone."""

    packs: list[str] = field(default_factory=list)
    trials: int = 0
    from_shards: int = 0
    old_packs: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def index(files: Any, name: str) -> Index:
    """The index of a pack, checked."""
    table = shards.read(files, f"{FOLDER}/{name}", ("index",))["index"]
    counts = {key: table[key].to_numpy() for key in TABLES}
    ends = {key: np.concatenate([[0], np.cumsum(of)]) for key, of in counts.items()}
    return Index({ident: n for n, ident in enumerate(table["id"].to_pylist())}, ends, table["kept"].to_pylist())


@lru_cache(maxsize=64)
def _known(files: Any, name: str) -> Index:
    # A pack never changes, and what was read was checked.
    return index(files, name)


def catalogue(files: Any, fresh: bool = True) -> tuple[dict[str, Index], dict[str, str]]:
    """Packs with their indices, those trials left out that were taken out; and damaged packs: name -> what is wrong.

    Args:
        fresh: Read every index again, in place of believing what this process read before.
    """
    while True:
        names = sorted(files.shards(FOLDER))
        gone = {tuple(name.split("~")) for name in files.names(GONE)}
        found, damaged = {}, {}
        try:
            for name in names:
                try:
                    found[name] = index(files, name) if fresh else _known(files, name)
                except (shards.Gone, NewerSchema):
                    raise
                except DataError as error:
                    damaged[name] = str(error)
        except shards.Gone:
            continue
        # A listing during which one pack takes another's place may miss both.
        if sorted(files.shards(FOLDER)) == names:
            for name in {pack for pack, _ in gone} & set(found):
                of = found[name]
                at = {ident: n for ident, n in of.at.items() if (name, ident) not in gone}
                found[name] = Index(at, of.ends, of.kept)
            return found, damaged


def holder(files: Any, ident: str, fresh: bool = False) -> str | None:
    """The pack that holds a trial.

    Raises:
        DataError: it is in no sound pack, and a damaged one might hold it.
    """
    found, damaged = catalogue(files, fresh)
    if not (name := next((name for name, of in found.items() if ident in of.at), None)):
        refuse(damaged)
    return name


def holders(files: Any, ident: str) -> list[str]:
    """All sound packs that hold a trial: two where a compaction was cut off before it removed the old one."""
    return [name for name, of in catalogue(files)[0].items() if ident in of.at]


def refuse(damaged: dict[str, str]) -> None:
    """Raise when packs are so damaged that the trials in them cannot be named: they must not be computed in silence."""
    for why in damaged.values():
        raise DataError(
            f"{why}; which trials are in this pack cannot be told",
            expected="its folder restored from a copy, or moved away so that its trials run again",
            kept="everything else",
        )


def tables(files: Any, name: str, wanted: Sequence[str] = TABLES) -> Tables:
    """Tables of a pack, every byte checked, in today's columns."""
    found = shards.read(files, f"{FOLDER}/{name}", [FILES[key] for key in wanted])
    return {key: schema.conform(key, found[FILES[key]]) for key in wanted}


def write(files: Any, entries: Sequence[tuple[str, Tables, str]]) -> str:
    """Write trials as one pack, and read it back; returns its name. `entries` are id, the four tables, and `kept`."""
    merged = {key: pa.concat_tables([of[key] for _, of, _ in entries]) for key in TABLES}
    listed = pa.table(
        {
            "id": [ident for ident, _, _ in entries],
            **{key: [len(of[key]) for _, of, _ in entries] for key in TABLES},
            "kept": [kept for _, _, kept in entries],
        },
        schema=INDEX,
    )
    sums = {key: shards.digest(table) for key, table in merged.items()}
    # Never a name that was used before, since `gone` speaks of packs by name.
    name = uuid.uuid4().hex[:16]
    parts = {"index": listed, **{FILES[key]: merged[key] for key in TABLES}}
    files.put(f"{FOLDER}/{name}", shards.encode(name, parts, _options))
    back = tables(files, name)
    if {key: shards.digest(back[key]) for key in TABLES} != sums or not index(files, name).at:
        raise DataError("what was written is not what is read back", where=files.where(f"{FOLDER}/{name}"))
    return name


# What is smallest on ranks of trained models: `inp` is positives over a rank, so it has few values; `ap` repeats whole.
_PLANES = "BYTE_STREAM_SPLIT"
_CODED = {"person": _PLANES, "positives": _PLANES, "first": _PLANES, "ap": "PLAIN"}
_FEW_VALUES = ("inp",)


def _options(table: pa.Table) -> dict:
    """Small on disk: dictionaries for what repeats, the bytes of numbers split into planes, Zstandard."""
    repeated = [f.name for f in table.schema if pa.types.is_string(f.type) or f.name in _FEW_VALUES]
    real = {f.name: _PLANES for f in table.schema if pa.types.is_floating(f.type)}
    whole = {f.name: "DELTA_BINARY_PACKED" for f in table.schema if pa.types.is_integer(f.type)}
    coded = {**real, **whole, **{name: how for name, how in _CODED.items() if name in table.schema.names}}
    return {
        "compression": "zstd",
        "compression_level": 15,
        "use_dictionary": repeated,
        "column_encoding": {name: how for name, how in coded.items() if name not in repeated},
        "write_statistics": False,
    }


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
    packs, bad = catalogue(files)
    refuse(bad)
    # Whole packs stay; of the others, and of those that lost a trial, new ones are made.
    small = {name: of for name, of in packs.items() if len(of.at) < len(of.kept) or _small(of)}
    if not loose and (len(small) < 2 and all(len(of.at) == len(of.kept) for of in small.values())):
        return done
    inside = {ident: name for name, of in small.items() for ident in of.at}
    elsewhere = {ident: name for name, of in packs.items() if name not in small for ident in of.at}
    sound: dict[str, bool] = {}
    places = {ident: "trials" for ident in loose} | {i: p for i, p in inside.items() if i not in loose}
    ids = [ident for ident in dict.fromkeys([*order, *sorted(places)]) if ident in places]

    opened: dict[str, Tables] = {}
    kept_packs: set[str] = set()
    batch: list[tuple[str, Tables, str]] = []
    new: set[str] = set()

    def flush() -> None:
        if batch:
            new.add(write(files, batch))
            _drop(files, [ident for ident, _, _ in batch if ident in loose], done)
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
                entry = of_shard(files, ident)
            else:
                name = places[ident]
                if name not in opened:
                    opened[name] = tables(files, name)
                at = small[name].at[ident]
                entry = (ident, small[name].cut(opened[name], at, at), small[name].kept[at])
        except NewerSchema:
            raise
        except DataError as error:
            done.damaged[ident] = str(error)
            kept_packs.add(places[ident])
            continue
        if batch and (len(batch) >= MOST_TRIALS or rows + len(entry[1]["queries"]) > MOST_ROWS):
            flush()
            rows = 0
        batch.append(entry)
        rows += len(entry[1]["queries"])
    flush()
    for name in small:
        if name not in kept_packs and name not in new:
            files.remove_shard(f"{FOLDER}/{name}")
            done.old_packs += 1
            for mark in [mark for mark in files.names(GONE) if mark.split("~")[0] == name]:
                files.remove(f"{GONE}/{mark}")
    done.packs = sorted(new)
    return done


def of_shard(files: Any, ident: str) -> tuple[str, Tables, str]:
    """A trial's entry for `write`, from its shard."""
    place = f"trials/{ident}"
    record = shards.commit_record(files, place)
    found = shards.read(files, place, FILES.values(), record)
    return ident, {key: schema.conform(key, found[FILES[key]]) for key in TABLES}, record.get("queries", "all")


def _small(of: Index) -> bool:
    return len(of.at) < MOST_TRIALS / 2 and of.ends["queries"][-1] < MOST_ROWS / 2


def _is_sound(files: Any, name: str) -> bool:
    try:
        return bool(tables(files, name))
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
