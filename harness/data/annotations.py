"""Annotation files of person retrieval data sets: found, read, checked, and turned into splits.

A data set says in a `Source` how its file is called and which key holds the path; everything that can be wrong with
such a file is looked for here, and refused in one line that names the record.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.data.files import missing
from harness.data.quality.messages import tell
from harness.data.split import Split
from harness.errors import DataError, nearest

SPLITS = ("train", "val", "test")
T = TypeVar("T")
_WORD = re.compile(r"\w")
_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\\|[\x00-\x1f]")


@dataclass(frozen=True)
class Source:
    """How one data set lies on disk."""

    folder: str  # usual name of its folder
    files: tuple[str, ...]  # names of the annotation file, in the order of preference
    path_key: str  # key of the image's path
    licence: str  # where the data comes from and under which terms, for whoever does not have it
    images: str = "imgs"
    splits: tuple[str, ...] = SPLITS
    confused: Mapping[str, str] = field(default_factory=dict)  # other files of the download -> what they are


def load(source: Source, root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """The splits of a data set.

    Args:
        source: How the data set lies on disk.
        root: Its folder, or the folder that contains it.
        check_files: Look whether every image is there (one walk of the folder).
        allow_missing: Leave out images that are not there, with their captions, instead of refusing.

    Raises:
        DataError: the file is absent or another one, a record is not as it should be, identities or images are in two
            splits, or images are missing.
    """
    base, file = locate(source, Path(root))
    records = read(file)
    rows = _disjoint(sound(records, lambda record, k: _check(record, k, file, source)), file)
    absent: set[str] = set()
    if check_files or allow_missing:
        paths = [row[1] for row in rows]
        absent = missing(base / source.images, paths)
        if absent and not allow_missing:
            raise DataError(
                report_missing(paths, absent), base / source.images,
                "every image that the annotation file lists, or allow_missing to leave these out",
            )  # fmt: skip
    by_split = {name: [row for row in rows if row[0] == name and row[1] not in absent] for name in source.splits}
    for name, part in by_split.items():
        if not part:
            found = ", ".join(sorted({row[0] for row in rows})) or "none"
            raise DataError(f"no image in split '{name}'", file, f"splits {', '.join(source.splits)} (found {found})")
    return {name: build(base / source.images, part) for name, part in by_split.items()}


def locate(source: Source, root: Path) -> tuple[Path, Path]:
    """The folder of the data set and its annotation file."""
    candidates = (root, root / source.folder)
    for base in candidates:
        for name in source.files:
            if (base / name).is_file():
                return base, base / name
    bases = [base for base in candidates if base.is_dir()]
    expected = f"{' or '.join(source.files)} in {source.folder}/ ({source.licence})"
    if not bases:
        raise DataError("no such folder", root, expected)
    found = sorted(f.name for base in bases for f in base.iterdir() if f.suffix == ".json")
    for name in found:
        if name in source.confused:
            raise DataError(f"this is {name}, {source.confused[name]}", bases[-1] / name, source.files[0])
    near = next((n for n in (nearest(name, source.files) for name in found) if n), None)
    what = f"found {', '.join(found)}" if found else "no annotation file"
    raise DataError(what, bases[-1], expected, f"{found[0]} renamed to {near}" if near else None)


def read(file: Path) -> list:
    """The records of a JSON file; a broken file is named with its line."""
    try:
        records = json.loads(file.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 at byte {error.start}", file, "a UTF-8 encoded JSON file") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"not valid JSON: {error.msg}", f"{file}:{error.lineno}", "the whole file; was it cut?"
        ) from None
    if not isinstance(records, list) or not records:
        kind = "an empty list" if records == [] else f"a {type(records).__name__}"
        raise DataError(f"holds {kind}", file, "a list of records, one per image")
    return records


Row = tuple[str, str, "int | str", list[str]]  # split, path, identity, captions


def _check(record: object, k: int, file: Path, source: Source) -> Row:
    def wrong(key: str, what: str, expected: str, near: str | None = None) -> DataError:
        return DataError(what, f"{file}: record {k}, {key}", expected, near)

    if not isinstance(record, dict):
        raise DataError(f"is a {type(record).__name__}", f"{file}: record {k}", "an object with keys")
    for key in ("split", "captions", source.path_key, "id"):
        if key not in record:
            raise wrong(key, "missing", f"the keys split, captions, {source.path_key}, id", nearest(key, record))
    split, path, identity, captions = record["split"], record[source.path_key], record["id"], record["captions"]
    if split not in SPLITS:
        raise wrong("split", f"is {split!r}", f"one of {', '.join(SPLITS)}", nearest(str(split), SPLITS))
    if isinstance(identity, bool) or not isinstance(identity, int | str) or identity == "":
        raise wrong("id", f"is {identity!r}", "a whole number or a name")
    check_path(path, f"{file}: record {k}, {source.path_key}", f"{source.images}/")
    if not isinstance(captions, list):
        raise wrong("captions", f"is a {type(captions).__name__}", "a list of sentences")
    check_captions(captions, f"{file}: record {k}, captions")
    return split, path, identity, captions


def check_path(path: object, where: str, folder: str) -> None:
    """Refuse what is no path below a folder.

    Raises:
        DataError: it is no text, empty, or leads out of the folder.
    """
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"is {path!r}", where, "the path of an image")
    if _OUTSIDE.search(path):
        raise DataError(f"leaves the folder: {path!r}", where, f"a path below {folder}")


def check_captions(captions: Sequence[object], where: str) -> None:
    """Refuse captions that are none.

    Raises:
        DataError: there is none, or one is no text or has no words.
    """
    if not captions:
        raise DataError("is an empty list", where, "at least one sentence")
    for number, caption in enumerate(captions):
        if not isinstance(caption, str):
            raise DataError(f"is a {type(caption).__name__}", f"{where}[{number}]", "a sentence")
        if not _WORD.search(caption):
            raise DataError(f"has no words: {caption!r}", f"{where}[{number}]", "a sentence")


def sound(records: Sequence[object], check: Callable[[object, int], T]) -> list[tuple[int, T]]:
    """What `check` makes of each record, with the record's number; a record that it refuses is a fault."""
    kept = []
    for k, record in enumerate(records):
        try:
            kept.append((k, check(record, k)))
        except DataError as fault:
            tell(fault)
    return kept


def _disjoint(numbered: Sequence[tuple[int, Row]], file: Path) -> list[Row]:
    """The rows without identities and images in two splits and paths that differ in upper and lower case alone."""
    split_of: dict[object, str] = {}
    split_of_path: dict[str, str] = {}
    spelling: dict[str, str] = {}
    rows = []
    for k, row in numbered:
        split, path, identity, _ = row
        # 7 and "7" are the same person: files written by other tools mix the two.
        if (other := split_of.setdefault(str(identity), split)) != split:
            what = f"identity {identity} is in {other} and in {split}"
            tell(DataError(what, f"{file}: record {k}, id", "identities in one split only"))
        elif (other := split_of_path.setdefault(path, split)) != split:
            tell(DataError(f"{path} is in {other} and in {split}", f"{file}: record {k}", "images in one split only"))
        elif (other := spelling.setdefault(path.casefold(), path)) != path:
            what = f"{path} and {other} differ in upper and lower case only"
            tell(DataError(what, f"{file}: record {k}", "names that every file system tells apart"))
        else:
            rows.append(row)
    return rows


def build(images: Path, rows: Sequence[Row]) -> Split:
    """A split from checked rows; identities are renumbered 0..n-1 in the order of their first image."""
    number: dict[str, int] = {}
    person, captions, owner = [], [], []
    for image, (_, _, identity, texts) in enumerate(rows):
        person.append(number.setdefault(str(identity), len(number)))
        captions += texts
        owner += [image] * len(texts)
    return Split(
        root=images,
        images=tuple(row[1] for row in rows),
        image_person=np.array(person, dtype=np.int64),
        captions=tuple(captions),
        caption_image=np.array(owner, dtype=np.int64),
        persons=tuple(number),
    )


def slice_identities(split: Split, share: float, seed: int = 0) -> tuple[Split, Split]:
    """Cut a split in two without a common identity: (1 - share) and `share` of the identities, at least one each.

    Raises:
        DataError: the share is not between 0 and 1, or there are fewer than two identities.
    """
    count = len(split.persons)
    if not 0 < share < 1 or count < 2:
        raise DataError(f"cannot cut {share} of {count} identities off", split.root, "a share between 0 and 1")
    rng = np.random.Generator(np.random.PCG64(seed))
    cut = min(count - 1, max(1, round(share * count)))
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[:cut]] = True
    return _where(split, ~chosen), _where(split, chosen)


def _where(split: Split, persons: np.ndarray) -> Split:
    keep = persons[split.image_person]
    image, person = np.cumsum(keep) - 1, np.cumsum(persons) - 1
    captions = np.flatnonzero(keep[split.caption_image])
    return Split(
        root=split.root,
        images=tuple(split.images[i] for i in np.flatnonzero(keep)),
        image_person=person[split.image_person[keep]].astype(np.int64),
        captions=tuple(split.captions[c] for c in captions),
        caption_image=image[split.caption_image[captions]].astype(np.int64),
        persons=tuple(split.persons[p] for p in np.flatnonzero(persons)),
    )


def report_missing(paths: Sequence[str], absent: set[str]) -> str:
    """How many images are missing, by folder, and the first five."""
    total, gone = Counter(map(_folder, set(paths))), Counter(map(_folder, absent))
    folders = ", ".join(f"{name} {count} of {total[name]}" for name, count in sorted(gone.items()))
    first = ", ".join(sorted(absent)[:5])
    return f"{len(absent)} of {sum(total.values())} images are missing: {folders}; first: {first}"


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."
