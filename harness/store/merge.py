"""Taking trials over from another store: what is new is copied, what both have is compared, ours always stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.measured_on import MeasuredOn
from harness.store import later, schema
from harness.store.files import models, packs, shards
from harness.store.files.packs import FILES, TABLES, Entry
from harness.store.reading import Entries

KEPT = ("none", "selected", "all")  # per-query records, from the fewest to the most


def keep(queries: pa.Table, how: str) -> pa.Table:
    """The per-query records that stay: `all`, `selected` (text to image, which paired statistics read) or `none`."""
    if how == "all":
        return queries
    return queries.slice(0, 0) if how == "none" else queries.filter(pc.equal(queries["direction"], "t2i"))


def thin(entry: Entry, how: str) -> Entry:
    """An entry with no more per-query records than `how`."""
    if KEPT.index(entry.kept) <= KEPT.index(how):
        return entry
    return entry._replace(tables={**entry.tables, "queries": keep(entry.tables["queries"], how)}, kept=how)


def alike(ours: Entry, theirs: Entry) -> bool:
    """Whether two stores measured the same: equal scores, and equal per-query records as far as both kept them."""
    how = min(ours.kept, theirs.kept, key=KEPT.index)
    one, two = thin(ours, how).tables, thin(theirs, how).tables
    return all(shards.digest(_plain(one[name])) == shards.digest(_plain(two[name])) for name in ("scores", "queries"))


def _plain(table: pa.Table) -> pa.Table:
    """The rows with the bare names of data sets: their order tells those of one name apart, and two studies may write
    one data set with other words."""
    return schema.reworded(table, "dataset", lambda text: MeasuredOn.parse(text).name)


def take(
    files: Any,
    other: Any,
    idents: Iterable[str],
    queries: str = "all",
    packed: bool = False,
    with_models: bool = True,
) -> dict[str, str]:
    """Copy committed trials of another store: id -> "added", "same" or "conflict".

    What was measured of them later goes along, and is told of where it is in conflict.

    Args:
        files, other: Where ours and the other store are.
        idents: Trials of the other store.
        queries: Which per-query records to take: all, selected or none.
        packed: Write packs, where otherwise only what comes from a pack goes into one.
        with_models: Take their kept models too, also of packed trials that are here without one.

    Raises:
        DataError: a trial of either store is damaged; what was added before stays.
    """
    idents = list(idents)
    later.take(files, other, idents)
    more = {ident for behind in later.of(other, idents).values() for ident in behind}
    theirs, ours = Entries(other), Entries(files)
    given, here = models.Models(other, idents), models.Models(files, idents)
    verdicts: dict[str, str] = {}
    batch: list[Entry] = []

    def flush() -> None:
        if batch:
            packs.write(files, batch)
            verdicts.update({entry.id: "added" for entry in batch})
            batch.clear()

    rows = 0
    for ident in theirs.order({**dict.fromkeys(idents), **dict.fromkeys(ident for ident in more if ident in theirs)}):
        if ident in ours:
            verdicts[ident] = "same" if _same(files, other, ours, theirs, ident) else "conflict"
            late = with_models and verdicts[ident] == "same" and ident not in ours.loose and not here.size(ident)
            if late and (blob := given.read(ident)):
                models.place(files, ident, blob)
        elif ident in theirs.loose and queries == "all" and with_models and not packed:
            added = files.put(f"trials/{ident}", shards.contents(other, f"trials/{ident}"))
            verdicts[ident] = "added" if added else "same"
        else:
            entry = thin(theirs[ident], queries)._replace(model=None)
            if with_models and (blob := given.read(ident)):
                models.place(files, ident, blob)
                entry = entry._replace(model=hashlib.sha256(blob).hexdigest())
            if batch and (len(batch) >= packs.MOST_TRIALS or rows + len(entry.tables["queries"]) > packs.MOST_ROWS):
                flush()
                rows = 0
            batch.append(entry)
            rows += len(entry.tables["queries"])
    flush()
    return {i: verdict for i, verdict in sorted(verdicts.items()) if i not in more or verdict == "conflict"}


def as_shard(entry: Entry) -> dict[str, bytes]:
    """A trial's files without its model, as `files.put` takes them."""
    more: dict[str, Any] = {} if entry.kept == "all" else {"queries": entry.kept}
    return shards.encode(entry.id, {FILES[name]: entry.tables[name] for name in TABLES}, **more)


def _same(files: Any, other: Any, ours: Entries, theirs: Entries, ident: str) -> bool:
    if ident in ours.loose and ident in theirs.loose:
        one, two = (shards.commit_record(of, f"trials/{ident}")["files"] for of in (files, other))
        if all(one[name]["sha256"] == two[name]["sha256"] for name in ("scores.parquet", "queries.parquet")):
            return True
    return alike(ours[ident], theirs[ident])
