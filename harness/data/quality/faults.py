"""What can be wrong with image files: unreadable, in need of conversion, the same twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness import parallel
from harness.data.pipeline import images
from harness.data.quality import duplicates
from harness.data.quality.duplicates import Pair, Picture
from harness.errors import DataError

Listed = Mapping[str, Sequence[tuple[Path, str]]]  # split -> path and identity of its images
EXAMPLES = 3  # of a finding, that are shown


@dataclass(frozen=True)
class Finding:
    """Something noticed; an error makes the data unusable, a warning does not."""

    level: str  # error or warning
    what: str
    examples: tuple[str, ...] = ()


def look(
    listed: Listed, decode: bool, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Picture], list[Finding]]:
    """Every readable picture with its hashes, and findings about those that are not or need a conversion.

    Args:
        listed: The files by split; every one is there.
        decode: Decode every picture instead of looking at its header and its end only.
        progress: Called with (files looked at, files in all).
    """
    files = [(part, path, person) for part, these in listed.items() for path, person in these]
    pictures: list[Picture] = []
    unreadable: list[str] = []
    conversions: Counter[str] = Counter()
    with ThreadPoolExecutor(parallel.processors()) as pool:  # Pillow and hashlib work outside Python's lock
        for done, seen in enumerate(pool.map(lambda file: _look(file[0], file[1], file[2], decode), files), 1):
            conversions.update(seen.conversions)
            if isinstance(seen.what, str):
                unreadable.append(seen.what)
            else:
                pictures.append(seen.what)
            if progress:
                progress(done, len(files))
    findings = []
    if unreadable:
        what = f"{len(unreadable):,} of {len(files):,} images cannot be read"
        findings.append(Finding("error", what, tuple(unreadable[:5])))
    for name, count in sorted(conversions.items()):
        findings.append(Finding("warning", f"{count:,} images need a conversion: {name}"))
    return pictures, findings


@dataclass(frozen=True)
class _Looked:
    what: Picture | str  # or why it cannot be used
    conversions: Counter[str]


def _look(part: str, path: Path, person: str, decode: bool) -> _Looked:
    conversions: Counter[str] = Counter()
    if fault := _fault(path, decode, conversions):
        return _Looked(fault, conversions)
    content = path.read_bytes()
    try:
        bits = duplicates.perceptual(content)
    except Exception as error:  # what opens need not decode, and damaged files make Pillow raise nearly anything
        return _Looked(f"{path}: {type(error).__name__}", conversions)
    return _Looked(Picture(part, path, person, duplicates.digest(content), bits), conversions)


def doubled(pairs: Sequence[Pair]) -> list[Finding]:
    """What pairs of one data set mean; the same file in two splits is an error."""
    kinds: dict[tuple[str, str, str], list[Pair]] = {
        ("error", "images are in two splits, byte for byte", "splits"): [],
        ("warning", "images belong to two identities, byte for byte", "people"): [],
        ("warning", "images are there under two names, byte for byte", ""): [],
        ("warning", "pairs of images of different splits look alike", "splits"): [],
        ("warning", "pairs of images of two identities look alike", "people"): [],
    }
    names = list(kinds)
    for pair in pairs:
        place = 0 if pair.splits[0] != pair.splits[1] else 1 if pair.first.person != pair.second.person else 2
        kinds[names[place if pair.exact else 3 + place]].append(pair)
    return [
        Finding(level, f"{len(found):,} {what}", tuple(_said(pair, tell) for pair in found[:EXAMPLES]))
        for (level, what, tell), found in kinds.items()
        if found
    ]


def shared(other: str, pairs: Sequence[Pair]) -> list[Finding]:
    """What pairs of a picture here and one of data set `other` mean: scores from one to the other are contaminated."""
    findings = []
    for exact, what in ((True, "are in {} too, byte for byte"), (False, "look like one of {}")):
        if found := [pair for pair in pairs if pair.exact == exact]:
            count = len({pair.first.path for pair in found})
            text = f"{count:,} images {what.format(other)} ({duplicates.counted(found)})"
            findings.append(Finding("warning", text, tuple(_said(pair, "") for pair in found[:EXAMPLES])))
    return findings


def _said(pair: Pair, tell: str) -> str:
    a, b = pair.first, pair.second
    more = {"splits": f" ({a.split}, {b.split})", "people": f" (identities {a.person}, {b.person})", "": ""}[tell]
    return f"{a.path} {'=' if pair.exact else '~'} {b.path}{more}"


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
            if image.mode == "F":
                return f"{path}: floating-point pixels have no defined range"
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
