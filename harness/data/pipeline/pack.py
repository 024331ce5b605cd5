"""Every image of a split decoded once, at the target size, in one memory-mapped file that all trials share.

A pack is a folder `<key>` with `images.npy` (uint8 [I, 3, H, W]) and `chunks.jsonl` (a CRC-32 for every `CHUNK`
images). The key is the content of the source: names, sizes and times of the files, the target size and `VERSION`. It is
built in `<key>.partial` and appears by one rename; what an interrupted build has finished is kept by the next one, and
chunks whose checksum is wrong are built again.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from harness import parallel
from harness.data.fingerprint import digest, files
from harness.data.pipeline import images
from harness.data.split import Split
from harness.errors import DataError, EnvironmentFault

VERSION = 2  # of the pixels and their order: raise it when either changes
CHUNK = 256  # images
PATIENCE = 3600.0  # seconds to wait for another process that builds the same pack


@dataclass
class Decoded:
    """How much had to be decoded to build a pack, and the seconds that this took."""

    images: int = 0
    seconds: float = 0.0


def key(split: Split, size: tuple[int, int]) -> str:
    """The name of a pack: 16 hex digits."""
    states = [(state.st_size, state.st_mtime_ns) for state in files(split)]
    return digest((VERSION, size, split.images, states))[:16]


def pack(
    split: Split,
    size: tuple[int, int],
    cache: Path,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    decoded: Decoded | None = None,
) -> np.memmap:
    """The split's images, uint8 [I, 3, H, W], read-only; built on first use.

    Any number of processes may ask at once: one builds, the others wait for it.

    Args:
        split: Whose images.
        size: (height, width) in pixels.
        cache: Folder of the packs.
        workers: Decoding threads (decoding and resizing run outside Python's lock); None for one per core.
        progress: Called with (images done, images in all).
        decoded: If given, what was decoded is added to it.

    Raises:
        DataError: images are missing or unreadable, all of them in one error; the readable ones are kept.
        EnvironmentFault: no space, or another process did not finish in time.
    """
    name, shape = key(split, size), (len(split.images), 3, *size)
    home, partial = cache / name, cache / f"{name}.partial"
    if (found := _open(home, shape)) is not None:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / f"{name}.lock", timeout=PATIENCE):
            if (found := _open(home, shape)) is not None:
                return found
            if home.exists():  # damaged: its good chunks are worth more than those of an interrupted build
                shutil.rmtree(partial, ignore_errors=True)
                os.replace(home, partial)
            partial.mkdir(exist_ok=True)
            _build(partial, split, shape, workers, progress, decoded or Decoded())
            os.replace(partial, home)
    except Timeout:
        raise EnvironmentFault(
            f"another process has been building this pack for over {PATIENCE / 60:.0f} minutes", where=home
        ) from None
    return np.load(home / "images.npy", mmap_mode="r")


def through(array: np.ndarray) -> int:
    """Read every image of a pack once, as an epoch does, and give the sum of its bytes."""
    return sum(int(array[start : start + CHUNK].sum(dtype=np.int64)) for start in range(0, len(array), CHUNK))


def converted(cache: Path, name: str) -> Counter[str]:
    """How many images of the pack `name` needed each conversion (`images.convert`)."""
    total: Counter[str] = Counter()
    for record in _records(cache / name).values():
        total.update(record["converted"])
    return total


def _records(folder: Path) -> dict[int, dict[str, Any]]:
    """What the journal says about each chunk; a line torn by a crash is skipped, its chunk is built again."""
    records: dict[int, dict[str, Any]] = {}
    try:
        lines = (folder / "chunks.jsonl").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return records
    for line in lines:
        try:
            record = json.loads(line)
            records[record["chunk"]] = {"crc32": record["crc32"], "converted": record["converted"]}
        except (ValueError, KeyError, TypeError):
            continue
    return records


def _chunks(count: int) -> range:
    return range(-(-count // CHUNK))


def _crc(array: np.ndarray, chunk: int) -> int:
    return zlib.crc32(np.ascontiguousarray(array[chunk * CHUNK : (chunk + 1) * CHUNK]).data)


def _good(folder: Path, array: np.ndarray) -> dict[int, dict[str, Any]]:
    """The chunks whose pixels agree with their checksum."""
    known = _records(folder)
    return {c: known[c] for c in _chunks(len(array)) if c in known and known[c]["crc32"] == _crc(array, c)}


def _map(folder: Path, shape: tuple[int, ...], mode: Literal["r", "r+"]) -> np.memmap | None:
    try:
        array = np.load(folder / "images.npy", mmap_mode=mode)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _open(home: Path, shape: tuple[int, ...]) -> np.memmap | None:
    """A complete pack with every checksum right, or None."""
    array = _map(home, shape, "r")
    return array if array is not None and len(_good(home, array)) == len(_chunks(len(array))) else None


def _create(folder: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new file with its space reserved: a full disk is an error here and would be a crash in a mapped page."""
    path, needed = folder / "images.npy", int(np.prod(shape)) + 4096
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EnvironmentFault(f"no space: {free / 1e9:.1f} GB free", where=folder, expected=f"{needed / 1e9:.1f} GB")
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as fault:
                raise EnvironmentFault(f"cannot reserve {needed / 1e9:.1f} GB: {fault.strerror}", where=path) from None
    return array


def _build(folder: Path, split: Split, shape: tuple[int, ...], workers: int | None, progress, decoded: Decoded) -> None:
    array = _map(folder, shape, "r+")
    good = {} if array is None else _good(folder, array)
    array = _create(folder, shape) if array is None else array
    failures: list[str] = []

    def decode(chunk: int) -> dict[str, Any] | None:
        counts: Counter[str] = Counter()
        broken: list[str] = []
        height, width = shape[2:]
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(array))):
            try:
                array[i] = images.read(split.path(i), (height, width), counts).transpose(2, 0, 1)
            except DataError as error:
                broken.append(f"{split.images[i]}: {error.what}")
        failures.extend(broken)
        return None if broken else {"chunk": chunk, "crc32": _crc(array, chunk), "converted": dict(counts)}

    journal = folder / "chunks.jsonl"
    beside = folder / "chunks.new"
    beside.write_text("".join(json.dumps({"chunk": c, **r}) + "\n" for c, r in good.items()), encoding="utf-8")
    os.replace(beside, journal)
    todo = [c for c in _chunks(len(array)) if c not in good]
    done = sum(min(CHUNK, len(array) - c * CHUNK) for c in good)
    began, before = time.perf_counter(), done
    pool = ThreadPoolExecutor(workers or parallel.processors())
    try:
        with open(journal, "a", encoding="utf-8") as log:
            for future in as_completed([pool.submit(decode, c) for c in todo]):
                record = future.result()
                if record is None:
                    continue
                log.write(json.dumps(record) + "\n")
                log.flush()
                done += min(CHUNK, len(array) - record["chunk"] * CHUNK)
                if progress:
                    progress(done, len(array))
            array.flush()
            os.fsync(log.fileno())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        decoded.images += done - before
        decoded.seconds += time.perf_counter() - began
    if failures:
        raise _unreadable(folder, split, sorted(failures), done)


def _unreadable(folder: Path, split: Split, failures: list[str], done: int) -> DataError:
    listing = folder.with_suffix(".unreadable.txt")
    listing.write_text("\n".join(failures) + "\n", encoding="utf-8")
    shown = "; ".join(failures[:5]) + (f"; all of them in {listing}" if len(failures) > 5 else "")
    return DataError(
        f"{len(failures)} of {len(split.images)} images unreadable: {shown}",
        where=split.root,
        kept=f"{done} decoded images, used by the next try",
    )
