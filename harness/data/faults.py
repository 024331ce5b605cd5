"""What can be wrong with image files: unreadable, in need of conversion, the same twice."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data import images
from harness.errors import DataError

NEAR = 3  # of 128 bits of the perceptual hash may differ
Listed = Mapping[str, Sequence[tuple[Path, str]]]  # split -> path and identity of its images


@dataclass(frozen=True)
class Finding:
    """Something noticed; an error makes the data unusable, a warning does not."""

    level: str  # error or warning
    what: str
    examples: tuple[str, ...] = ()


def find(listed: Listed, decode: bool) -> list[Finding]:
    """All findings about the image files of a data set.

    Args:
        listed: The files by split; every one is there.
        decode: Decode every picture instead of looking at its header and its end only.
    """
    unreadable, conversions = [], Counter()
    seen = []  # split, path, identity, sha256, perceptual hash
    for part, files in listed.items():
        for path, person in files:
            fault = _fault(path, decode, conversions)
            if fault:
                unreadable.append(fault)
                continue
            seen.append((part, path, person, hashlib.sha256(path.read_bytes()).digest(), _perceptual(path)))
    findings = []
    if unreadable:
        total = sum(len(files) for files in listed.values())
        what = f"{len(unreadable):,} of {total:,} images cannot be read"
        findings.append(Finding("error", what, tuple(unreadable[:5])))
    for name, count in sorted(conversions.items()):
        findings.append(Finding("warning", f"{count:,} images need a conversion: {name}"))
    return findings + list(_same(seen)) + list(_alike(seen))


def _fault(path: Path, decode: bool, conversions: Counter[str]) -> str | None:
    """Why a picture cannot be used, or None; counts the conversions it needs."""
    if decode:
        try:
            images.read(path, (8, 8), conversions)
        except DataError as error:
            return str(error)
        return None
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > images.PIXELS or min(width, height) < images.SIDE:
                return f"{path}: {width} x {height} pixels"
            if max(width, height) > images.ASPECT * min(width, height):
                return f"{path}: {width} x {height} pixels"
            if image.getexif().get(images.ORIENTATION, 1) != 1:
                conversions["orientation"] += 1
            if image.mode != "RGB":
                conversions[image.mode] += 1
            form = image.format
    except Exception as error:  # damaged files make Pillow's decoders raise nearly anything
        what = "empty file" if path.stat().st_size == 0 else type(error).__name__
        return f"{path}: {what}"
    # A JPEG that was cut still opens; what it lacks is the marker at its end.
    if form == "JPEG" and b"\xff\xd9" not in _end(path):
        return f"{path}: the end is missing"
    return None


def _end(path: Path, count: int = 64) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - count))
        return file.read()


def _perceptual(path: Path) -> tuple[int, int]:
    """128 bits: is a pixel of a 9 x 8 (8 x 9) thumbnail brighter than its right (lower) neighbour."""
    try:
        with Image.open(path) as image:
            image.draft("L", (32, 64))
            grey = image.convert("L")
            across = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
            down = np.asarray(grey.resize((8, 9), Image.Resampling.BILINEAR), dtype=np.int16)
    except Exception:  # what opens need not decode; with `decode` it has been reported by now
        return tuple(int.from_bytes(hashlib.sha256(f"{path}{k}".encode()).digest()[:8], "big") for k in (0, 1))
    bits = (across[:, 1:] > across[:, :-1], down[1:] > down[:-1])
    return tuple(int.from_bytes(np.packbits(b).tobytes(), "big") for b in bits)


def _same(seen: list) -> Iterator[Finding]:
    """Byte for byte the same picture in two splits (an error) or under two names or people (a warning)."""
    groups = defaultdict(list)
    for part, path, person, digest, _ in seen:
        groups[digest].append((part, path, person))
    across, people, names = [], [], []
    for group in groups.values():
        first = group[0]
        for other in group[1:]:
            pair = f"{first[1].name} = {other[1].name}"
            if other[0] != first[0]:
                across.append(f"{pair} ({first[0]}, {other[0]})")
            elif other[2] != first[2]:
                people.append(f"{pair} (identities {first[2]}, {other[2]})")
            elif other[1] != first[1]:
                names.append(pair)
    for level, found, what in (
        ("error", across, "images are in two splits, byte for byte"),
        ("warning", people, "images belong to two identities, byte for byte"),
        ("warning", names, "images are there under two names, byte for byte"),
    ):
        if found:
            yield Finding(level, f"{len(found):,} {what}", tuple(found[:3]))


def _alike(seen: list) -> Iterator[Finding]:
    """Pictures of different splits that look the same: perceptual hashes at most `NEAR` bits apart."""
    if not seen:
        return
    parts = np.array([row[0] for row in seen])
    hashes = np.array([row[4] for row in seen], dtype=np.uint64)
    found, count = [], 0
    for start in range(0, len(seen), 512):
        block = slice(start, start + 512)
        bits = sum(np.bitwise_count(hashes[block, None, k] ^ hashes[None, :, k]) for k in (0, 1))
        rows, columns = np.nonzero((bits <= NEAR) & (parts[block, None] != parts[None, :]))
        for row, column in zip(rows + start, columns, strict=True):
            if row < column and seen[row][3] != seen[column][3]:
                count += 1
                found += [f"{seen[row][1].name} ~ {seen[column][1].name}"][: 3 - len(found)]
    if count:
        yield Finding("warning", f"{count:,} pairs of images of different splits look alike", tuple(found))
