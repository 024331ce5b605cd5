"""Taking a committed trial out of use, so that it can run again; nothing is deleted."""

from __future__ import annotations

from typing import Any

from harness.errors import DataError, UserError
from harness.store import later, merge, reading, schema
from harness.store.files import compaction, models, packs
from harness.store.files.checksummed import seal


def put(files: Any, ident: str) -> Any:
    """Move a trial's files to `aside/`, and return where they are; what was measured of it later goes there too.

    Of a pack they are copied there, or stay where they are when the pack is damaged; its model is moved as it is.

    Raises:
        UserError: it is not committed.
    """
    for more in later.of(files, [ident]).get(ident, ()):
        if more in reading.Entries(files):
            put(files, more)
    with compaction.alone(files):
        taken, number = set(files.names("aside")), 1
        while f"{ident}-{number}" in taken:
            number += 1
        to = place = f"aside/{ident}-{number}"
        entries = reading.Entries(files)
        if ident not in entries:
            raise UserError(f"trial {ident} is not committed", where=files.where())
        if ident not in entries.loose:
            try:
                files.put(to, merge.as_shard(entries[ident]))
            except DataError:
                to = f"packs/{entries.packed[ident]}"
        # Each pack once, so that it ends even where a listing does not show the mark.
        for name in packs.holders(files, ident):
            files.create(f"gone/{name}~{ident}", seal({"schema": schema.VERSION, "id": ident, "pack": name}))
        if ident in entries.loose:
            files.move_shard(f"trials/{ident}", to)
        elif files.has_shard(f"{models.FOLDER}/{ident}"):
            files.move_shard(f"{models.FOLDER}/{ident}", f"{place}-model")
        return files.where(to)
