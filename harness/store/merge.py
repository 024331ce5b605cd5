"""Taking trials over from another store: what is new is copied, what both have is compared, ours always stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.store.files import packs, shards
from harness.store.files.packs import FILES, TABLES, Tables
from harness.store.reading import Entries

KEPT = ("none", "selected", "all")  # per-query records, from the fewest to the most


def keep(queries: pa.Table, how: str) -> pa.Table:
    """The per-query records that stay: `all`, `selected` (text to image, which paired statistics read) or `none`."""
    if how == "all":
        return queries
    return queries.slice(0, 0) if how == "none" else queries.filter(pc.equal(queries["direction"], "t2i"))


def thin(entry: tuple[str, Tables, str], how: str) -> tuple[str, Tables, str]:
    """An entry with no more per-query records than `how`."""
    ident, tables, kept = entry
    if KEPT.index(kept) <= KEPT.index(how):
        return entry
    return ident, {**tables, "queries": keep(tables["queries"], how)}, how


def alike(ours: tuple[str, Tables, str], theirs: tuple[str, Tables, str]) -> bool:
    """Whether two stores measured the same: equal scores, and equal per-query records as far as both kept them."""
    how = min(ours[2], theirs[2], key=KEPT.index)
    one, two = thin(ours, how)[1], thin(theirs, how)[1]
    return all(shards.digest(one[name]) == shards.digest(two[name]) for name in ("scores", "queries"))


def take(files: Any, other: Any, idents: Iterable[str], queries: str = "all", packed: bool = False) -> dict[str, str]:
    """Copy committed trials of another store; id -> "added", "same" or "conflict".

    Args:
        files, other: Where ours and the other store are.
        idents: Trials of the other store.
        queries: Which per-query records to take: all, selected or none.
        packed: Write packs, where otherwise only what comes from a pack goes into one.

    Raises:
        DataError: a trial of either store is damaged; what was added before stays.
    """
    theirs, ours = Entries(other), Entries(files)
    verdicts: dict[str, str] = {}
    batch: list[tuple[str, Tables, str]] = []

    def flush() -> None:
        if batch:
            packs.write(files, batch)
            verdicts.update({ident: "added" for ident, _, _ in batch})
            batch.clear()

    rows = 0
    for ident in theirs.order(idents):
        if ident in ours:
            verdicts[ident] = "same" if _same(files, other, ours, theirs, ident) else "conflict"
        elif ident in theirs.loose and queries == "all" and not packed:
            added = files.put(f"trials/{ident}", shards.contents(other, f"trials/{ident}"))
            verdicts[ident] = "added" if added else "same"
        else:
            entry = thin(theirs[ident], queries)
            if batch and (len(batch) >= packs.MOST_TRIALS or rows + len(entry[1]["queries"]) > packs.MOST_ROWS):
                flush()
                rows = 0
            batch.append(entry)
            rows += len(entry[1]["queries"])
    flush()
    return dict(sorted(verdicts.items()))


def as_shard(entry: tuple[str, Tables, str]) -> dict[str, bytes]:
    """A trial's files, as `files.put` takes them."""
    ident, tables, kept = entry
    more: dict[str, Any] = {} if kept == "all" else {"queries": kept}
    return shards.encode(ident, {FILES[name]: tables[name] for name in TABLES}, **more)


def _same(files: Any, other: Any, ours: Entries, theirs: Entries, ident: str) -> bool:
    if ident in ours.loose and ident in theirs.loose:
        one, two = (shards.commit_record(of, f"trials/{ident}")["files"] for of in (files, other))
        if all(one[name]["sha256"] == two[name]["sha256"] for name in ("scores.parquet", "queries.parquet")):
            return True
    return alike(ours[ident], theirs[ident])
