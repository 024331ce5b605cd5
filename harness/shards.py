"""Folders of Parquet tables that appear whole or not at all, and JSON files that carry their own checksum.

A shard is written beside its place, synced, and made visible by one rename that fails when the place is taken. Its
`commit.json` names every file with its SHA-256, so a reader notices any change, and Parquet's page checksums let other
readers notice too. What a dead writer left behind begins with `.tmp-` and names its owner; `collect` removes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness import schema
from harness.errors import DataError

COMMIT = "commit.json"
# Another machine's process cannot be asked whether it lives, so what it left is kept for a week.
FOREIGN_SECONDS = 7 * 24 * 3600


class NewerSchema(DataError):
    """Written by a release that this one cannot read; never passed over as merely damaged."""


def write(place: Path, tables: dict[str, pa.Table]) -> bool:
    """Put tables at `place` as one shard; False when a shard is there already, which is then left as it is."""
    if place.is_dir():
        return False
    blobs, files = {}, {}
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        tagged = table.replace_schema_metadata({"upbench_schema": str(schema.VERSION)})
        # Small tables: without dictionaries, and with Snappy in place of Zstandard, reading takes a third of the time.
        pq.write_table(
            tagged, sink, compression="snappy", use_dictionary=False, write_statistics=False, write_page_checksum=True
        )
        blobs[f"{name}.parquet"] = blob = sink.getvalue().to_pybytes()
        files[f"{name}.parquet"] = {
            "sha256": hashlib.sha256(blob).hexdigest(),
            "rows": len(table),
            "schema": schema.VERSION,
        }
    blobs[COMMIT] = seal({"schema": schema.VERSION, "id": place.name, "files": files})
    return put(place, blobs)


def put(place: Path, blobs: dict[str, bytes]) -> bool:
    """Create the folder `place` with these files by one rename; False when it exists already."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.parent / _temporary(place.name)
    try:
        beside.mkdir()
        for name, blob in blobs.items():
            _write_synced(beside / name, blob)
        _sync_folder(beside)
        try:
            os.rename(beside, place)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY) or place.is_dir():
                return False
            raise
        _sync_folder(place.parent)
        return True
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)


def read(place: Path, names: tuple[str, ...]) -> dict[str, pa.Table]:
    """The named tables of a shard, every byte checked.

    Raises:
        DataError: a file is absent, changed, or was written by a newer release.
    """
    files = commit_record(place)["files"]
    return {name: _read_table(place / f"{name}.parquet", files.get(f"{name}.parquet")) for name in names}


def commit_record(place: Path) -> dict:
    """The checked commit record of a shard: id, schema, files with sha256, rows and schema."""
    record = unseal(place / COMMIT)
    if record.get("id") != place.name:
        raise DataError(f"damaged: the commit record names trial {record.get('id')!r}", where=place / COMMIT)
    return record


def contents(place: Path) -> dict[str, bytes]:
    """All files of a shard as bytes, checked against the commit record; what `put` takes."""
    files = commit_record(place)["files"]
    blobs = {name: _checked_bytes(place / name, entry) for name, entry in files.items()}
    return {**blobs, COMMIT: (place / COMMIT).read_bytes()}


def seal(body: dict) -> bytes:
    """JSON text with a checksum of the rest in its last key."""
    checksum = hashlib.sha256(_json(body)).hexdigest()
    return _json({**body, "sha256": checksum})


def unseal(path: Path) -> dict:
    """Read what `seal` wrote; the whole text must be the one sealed.

    Raises:
        DataError: absent, damaged, or of a newer schema.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    try:
        body = json.loads(text)
        body.pop("sha256")
        whole = seal(body) == text
        version = body["schema"]
    except (ValueError, KeyError, AttributeError, TypeError, UnicodeError) as error:
        raise DataError("damaged: not the JSON that was written", where=path) from error
    if not whole:
        raise DataError("damaged: its checksum differs from what was written", where=path)
    _check_version(version, path)
    return body


def replace(path: Path, blob: bytes) -> None:
    """Write a file so that readers see the old or the new content and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / _temporary(path.name)
    try:
        _write_synced(beside, blob)
        os.replace(beside, path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def collect(parent: Path) -> list[Path]:
    """Remove what dead writers left in `parent`; returns what was removed."""
    removed = []
    for path in sorted(parent.glob(".tmp-*")) if parent.is_dir() else ():
        if not _owner_lives(path):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _read_table(path: Path, entry: dict | None) -> pa.Table:
    if entry is None:
        raise DataError("the commit record does not list this file", where=path)
    _check_version(entry["schema"], path)
    blob = _checked_bytes(path, entry)
    try:
        with pq.ParquetFile(pa.BufferReader(blob), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"damaged: {error}", where=path) from error
    if len(table) != entry["rows"]:
        raise DataError(f"damaged: {len(table)} rows where {entry['rows']} were committed", where=path)
    return table


def _checked_bytes(path: Path, entry: dict) -> bytes:
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    if hashlib.sha256(blob).hexdigest() != entry["sha256"]:
        raise DataError("damaged: its SHA-256 differs from the commit record", where=path)
    return blob


def _check_version(version: object, path: Path) -> None:
    if not isinstance(version, int) or version < 1:
        raise DataError(f"damaged: schema {version!r}", where=path)
    if version > schema.VERSION:
        raise NewerSchema(
            f"written by a newer release of upbench (schema {version})",
            where=path,
            expected=f"schema {schema.VERSION} or older; install the newer release to read it",
        )


def _json(body: dict) -> bytes:
    return json.dumps(body, indent=1, ensure_ascii=False).encode()


def _write_synced(path: Path, blob: bytes) -> None:
    with open(path, "xb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    # Some file systems cannot sync a folder; there the rename is as durable as they make it.
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(handle)


@cache
def _host() -> str:
    # Containers on one machine share its name and boot id at times, but not the process namespace.
    with contextlib.suppress(OSError):
        return _short(socket.gethostname() + os.readlink("/proc/self/ns/pid"))
    return _short(socket.gethostname())


@cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return _short(Path("/proc/sys/kernel/random/boot_id").read_text())
    return _short("")


def _started(pid: int) -> str:
    """Start time of a process in kernel ticks, '0' where the system does not tell; tells a reused pid apart."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    return "0"


def _temporary(name: str) -> str:
    pid = os.getpid()
    return f".tmp-{name}-{_host()}-{_boot()}-{pid}-{_started(pid)}-{uuid.uuid4().hex[:8]}"


def _owner_lives(path: Path) -> bool:
    try:
        _, host, boot, pid, started, _ = path.name.rsplit("-", 5)
        if host == _host():
            if boot != _boot():
                return False
            os.kill(int(pid), 0)
            return _started(int(pid)) == started
        return time.time() - path.stat().st_mtime < FOREIGN_SECONDS
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True
    except (ValueError, OverflowError):
        return time.time() - path.stat().st_mtime < FOREIGN_SECONDS


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
