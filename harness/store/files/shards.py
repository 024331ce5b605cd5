"""One trial's tables as a shard: Parquet files and `commit.json`, which names each with its SHA-256 and rows.

A shard may hold the trial's model as well, a file of bytes (`models.py`), listed in the same way.

A shard appears whole or not at all (`files.put`), and a reader checks every byte against its commit record. Parquet's
own page checksums let other readers notice damage too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import DataError
from harness.store import schema
from harness.store.files.checksummed import check_version, seal, unseal

COMMIT, MODEL = "commit.json", "model.safetensors"

# Small tables: without dictionaries, and with Snappy in place of Zstandard, reading takes a third of the time.
SMALL = {"compression": "snappy", "use_dictionary": False, "write_statistics": False}


class Gone(DataError):
    """A shard that was listed and is not there any more: compaction or another process moved it; look again."""


def encode(
    name: str,
    tables: Mapping[str, pa.Table],
    how: Callable[[pa.Table], dict] = lambda table: SMALL,
    model: bytes | None = None,
    **more: object,
) -> dict[str, bytes]:
    """The files of a shard called `name`, its commit record last, as `files.put` takes them.

    Args:
        name: Name of the folder.
        tables: By file name without ending.
        how: Options of `pyarrow.parquet.write_table` for a table.
        model: The kept model, if there is one.
        more: What else the commit record says.
    """
    blobs: dict[str, bytes] = {}
    listed: dict[str, dict[str, object]] = {}
    if model is not None:
        blobs[MODEL] = model
        digest = hashlib.sha256(model).hexdigest()
        listed[MODEL] = {"sha256": digest, "bytes": len(model), "schema": schema.VERSION}
    for key, table in tables.items():
        sink = pa.BufferOutputStream()
        tagged = table.replace_schema_metadata({"upbench_schema": str(schema.VERSION)})
        pq.write_table(tagged, sink, write_page_checksum=True, **how(table))
        blobs[f"{key}.parquet"] = blob = sink.getvalue().to_pybytes()
        listed[f"{key}.parquet"] = {
            "sha256": hashlib.sha256(blob).hexdigest(),
            "rows": len(table),
            "schema": schema.VERSION,
        }
    return {**blobs, COMMIT: seal({"schema": schema.VERSION, "id": name, "files": listed, **more})}


def read(files: Any, place: str, names: Iterable[str], record: dict | None = None) -> dict[str, pa.Table]:
    """The named tables of a shard, every byte checked; `record` is its commit record where that was read already.

    Raises:
        DataError: a file is absent, changed, or was written by a newer release; Gone when the whole shard is absent.
    """
    listed = (record or commit_record(files, place))["files"]
    return {name: _read_table(files, place, f"{name}.parquet", listed.get(f"{name}.parquet")) for name in names}


def commit_record(files: Any, place: str) -> dict:
    """The checked commit record of a shard: id, schema, files with sha256, rows and schema."""
    path = f"{place}/{COMMIT}"
    try:
        record = unseal(path, files)
    except DataError as error:
        if not isinstance(error.__cause__, ValueError) and not files.has_shard(place):
            raise Gone("is not there any more", where=files.where(place)) from error
        raise
    if record.get("id") != place.rsplit("/", 1)[-1]:
        raise DataError(f"damaged: the commit record names {record.get('id')!r}", where=files.where(path))
    return record


def contents(files: Any, place: str) -> dict[str, bytes]:
    """All files of a shard as bytes, checked against the commit record; what `files.put` takes."""
    listed = commit_record(files, place)["files"]
    blobs = {name: _checked_bytes(files, place, name, entry) for name, entry in listed.items()}
    return {**blobs, COMMIT: files.read(f"{place}/{COMMIT}")}


def model_of(record: Mapping[str, Any]) -> str | None:
    """SHA-256 of the model that a commit record lists, or None."""
    return record["files"].get(MODEL, {}).get("sha256")


def model(files: Any, place: str) -> bytes:
    """The model in a shard that has one, every byte checked.

    Raises:
        DataError: absent or changed; Gone when the whole shard is absent.
    """
    return _checked_bytes(files, place, MODEL, commit_record(files, place)["files"][MODEL])


def model_is_there(files: Any, place: str) -> None:
    """Raise DataError unless the model in a shard has the size that was committed; its bytes are not read."""
    entry, where = commit_record(files, place)["files"][MODEL], files.where(f"{place}/{MODEL}")
    try:
        size = files.size(files.part(place, MODEL, entry["sha256"]))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=where) from error
    if size != entry["bytes"]:
        raise DataError(f"damaged: {size} bytes where {entry['bytes']} were committed", where=where)


def digest(table: pa.Table) -> str:
    """SHA-256 of what a table holds, however it is chunked or encoded."""
    found = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        column = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        found.update(f"{name} {column.type} {len(column)}".encode())
        found.update(np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes())
        if pa.types.is_list(column.type):
            found.update(pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).tobytes())
            column = column.flatten()
        if pa.types.is_string(column.type):
            coded = column.dictionary_encode()
            found.update(json.dumps(coded.dictionary.to_pylist()).encode())
            column = coded.indices
        elif pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())
        # What stands beneath a null is undefined.
        found.update(np.ascontiguousarray(column.fill_null(0).to_numpy(zero_copy_only=False)).tobytes())
    return found.hexdigest()


def _read_table(files: Any, place: str, name: str, entry: dict | None) -> pa.Table:
    # Where it is, is put into words only when it must be told: that costs as much as reading a small file.
    if entry is None:
        raise DataError("the commit record does not list this file", where=files.where(f"{place}/{name}"))
    if entry["schema"] != schema.VERSION:
        check_version(entry["schema"], files.where(f"{place}/{name}"))
    blob = _checked_bytes(files, place, name, entry)
    try:
        with pq.ParquetFile(pa.BufferReader(blob), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"damaged: {error}", where=files.where(f"{place}/{name}")) from error
    if len(table) != entry["rows"]:
        words = f"damaged: {len(table)} rows where {entry['rows']} were committed"
        raise DataError(words, where=files.where(f"{place}/{name}"))
    return table


def _checked_bytes(files: Any, place: str, name: str, entry: dict) -> bytes:
    try:
        blob = files.read(files.part(place, name, entry["sha256"]))
    except OSError as error:
        if not files.has_shard(place):
            raise Gone("is not there any more", where=files.where(place)) from error
        where = files.where(f"{place}/{name}")
        raise DataError(f"cannot be read: {error.strerror or error}", where=where) from error
    if hashlib.sha256(blob).hexdigest() != entry["sha256"]:
        where = files.where(f"{place}/{name}")
        raise DataError("damaged: its SHA-256 differs from the commit record", where=where)
    return blob
