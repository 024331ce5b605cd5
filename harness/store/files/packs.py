"""Many trials in one shard: `packs/<name>/`, the four tables one after another, and an index of rows by trial.

`compaction.py` writes them. A trial taken out of a pack is named in `gone/<pack>~<id>`. Models of packed trials lie by
themselves (`models.py`); the index has their SHA-256.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from harness.errors import DataError
from harness.store import schema
from harness.store.files import shards
from harness.store.files.checksummed import NewerSchema

FOLDER, GONE = "packs", "gone"
FILES = {"trials": "trial", "scores": "scores", "history": "history", "queries": "queries"}
TABLES = tuple(FILES)
MOST_TRIALS, MOST_ROWS = 5_000, 4_000_000  # of a pack, so that one fits in memory

INDEX = pa.schema(
    [("id", pa.string()), *((name, pa.int64()) for name in TABLES), ("kept", pa.string()), ("model", pa.string())]
)

Tables = dict[str, pa.Table]


class Entry(NamedTuple):
    """A trial as it is copied.

    Attributes:
        id: Of the trial.
        tables: All four.
        kept: Its per-query records: all, selected or none.
        model: SHA-256 of its kept model, or None.
    """

    id: str
    tables: Tables
    kept: str
    model: str | None = None


@dataclass(frozen=True)
class Index:
    """Which trials a pack holds, and where their rows are.

    Attributes:
        at: Position by trial id.
        ends: By table, the row after the last of each position, with a zero before the first [trials + 1].
        kept: Which per-query records each position holds: all, selected or none.
        models: SHA-256 of the kept model of each position, or None.
    """

    at: dict[str, int]
    ends: dict[str, np.ndarray]
    kept: list[str]
    models: list[str | None] = field(default_factory=list)

    def cut(self, tables: Tables, first: int, last: int) -> Tables:
        """The rows of positions first..last, both included."""
        return {
            name: table.slice(self.ends[name][first], self.ends[name][last + 1] - self.ends[name][first])
            for name, table in tables.items()
        }


def index(files: Any, name: str) -> Index:
    """The index of a pack, checked."""
    table = shards.read(files, f"{FOLDER}/{name}", ("index",))["index"]
    counts = {key: table[key].to_numpy() for key in TABLES}
    ends = {key: np.concatenate([[0], np.cumsum(of)]) for key, of in counts.items()}
    # Packs of earlier releases know of no models.
    kept = table["model"].to_pylist() if "model" in table.column_names else [None] * len(table)
    at = {ident: n for n, ident in enumerate(table["id"].to_pylist())}
    return Index(at, ends, table["kept"].to_pylist(), kept)


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
                found[name] = replace(of, at=at)
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


def write(files: Any, entries: Sequence[Entry]) -> str:
    """Write trials as one pack, and read it back; returns its name. Their models lie at their places already."""
    merged = {key: pa.concat_tables([entry.tables[key] for entry in entries]) for key in TABLES}
    listed = pa.table(
        {
            "id": [entry.id for entry in entries],
            **{key: [len(entry.tables[key]) for entry in entries] for key in TABLES},
            "kept": [entry.kept for entry in entries],
            "model": [entry.model for entry in entries],
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


def of_shard(files: Any, ident: str) -> Entry:
    """A trial's entry for `write`, from its shard."""
    place = f"trials/{ident}"
    record = shards.commit_record(files, place)
    found = shards.read(files, place, FILES.values(), record)
    whole = {key: schema.conform(key, found[FILES[key]]) for key in TABLES}
    return Entry(ident, whole, record.get("queries", "all"), shards.model_of(record))


def of_pack(index: Index, tables: Tables, ident: str) -> Entry:
    """A trial's entry, from the index and the tables of its pack."""
    at = index.at[ident]
    return Entry(ident, index.cut(tables, at, at), index.kept[at], index.models[at])
