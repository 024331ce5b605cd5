"""Image-caption sets in Karpathy's splits: one file per split, each image its own identity.

The layout is that of ALBEF (Li et al., NeurIPS 2021): a training record holds one caption and the number of its image,
a record of val or test an image with all its captions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data import annotations as reading
from harness.data.files import missing
from harness.data.quality.messages import tell
from harness.data.split import Split
from harness.errors import DataError, nearest


@dataclass(frozen=True)
class Source:
    """How one data set lies on disk."""

    folder: str  # usual name of its folder; paths of images start there
    files: str  # name of the annotation files, with {split}
    licence: str  # where the data comes from and under which terms


Row = tuple[str, list[str]]  # path, captions


def load(source: Source, root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """The splits of a data set.

    Args:
        source: How the data set lies on disk.
        root: Its folder, or the folder that contains it.
        check_files: Look whether every image is there.
        allow_missing: Leave out images that are not there, with their captions, instead of refusing.

    Raises:
        DataError: a file is absent, a record is not as it should be, an image is in two splits, or images are missing.
    """
    base, files = _locate(source, Path(root))
    parts = _disjoint({name: _rows(file, name) for name, file in files.items()}, files)
    if check_files or allow_missing:
        paths = [path for rows in parts.values() for path, _ in rows]
        absent = missing(base, paths)
        if absent and not allow_missing:
            expected = "every image that the annotation files list, or allow_missing to leave these out"
            raise DataError(reading.report_missing(paths, absent), base, expected)
        parts = {name: [row for row in rows if row[0] not in absent] for name, rows in parts.items()}
        for name, rows in parts.items():
            if not rows:
                raise DataError(f"no image of split '{name}' is there", base, "at least one")
    return {name: _build(base, rows) for name, rows in parts.items()}


def _locate(source: Source, root: Path) -> tuple[Path, dict[str, Path]]:
    names = {split: source.files.format(split=split) for split in reading.SPLITS}
    bases = [base for base in (root, root / source.folder) if base.is_dir()]
    base = max(bases, key=lambda b: sum((b / name).is_file() for name in names.values()), default=None)
    expected = f"{', '.join(names.values())} in {source.folder}/ ({source.licence})"
    if base is None:
        raise DataError("no such folder", root, expected)
    if gone := [name for name in names.values() if not (base / name).is_file()]:
        found = sorted(file.name for file in base.glob("*.json"))
        raise DataError(f"no {', '.join(gone)}" + (f"; found {', '.join(found)}" if found else ""), base, expected)
    return base, {split: base / name for split, name in names.items()}


def _rows(file: Path, split: str) -> list[Row]:
    """Images with their captions, in the order of their first record."""
    found: dict[str, list[str]] = {}
    number: dict[str, object] = {}
    for k, (path, captions, given) in reading.sound(reading.read(file), lambda r, k: _check(r, k, file, split)):
        if split == "train" and number.setdefault(path, given) != given:
            what = f"{path} is image {number[path]!r} and image {given!r}"
            tell(DataError(what, f"{file}: record {k}, image_id", "one number for one image"))
        elif split != "train" and path in found:
            tell(DataError(f"{path} has a second record", f"{file}: record {k}, image", "one record for one image"))
        else:
            found.setdefault(path, []).extend(captions)
    return list(found.items())


def _check(record: object, k: int, file: Path, split: str) -> tuple[str, list[str], object]:
    """Path, captions and number of the image of a record."""
    where = f"{file}: record {k}"
    if not isinstance(record, dict):
        raise DataError(f"is a {type(record).__name__}", where, "an object with keys")
    for key in ("image", "caption"):
        if key not in record:
            raise DataError("missing", f"{where}, {key}", "the keys image, caption", nearest(key, record))
    path, captions = record["image"], record["caption"]
    reading.check_path(path, f"{where}, image", "the data set's folder")
    wanted, form = (str, "one sentence") if split == "train" else (list, "a list of sentences")
    if not isinstance(captions, wanted):
        raise DataError(f"is a {type(captions).__name__}", f"{where}, caption", f"{form} in {split}")
    captions = [captions] if isinstance(captions, str) else captions
    reading.check_captions(captions, f"{where}, caption")
    return path, captions, record.get("image_id", path)


def _disjoint(parts: dict[str, list[Row]], files: dict[str, Path]) -> dict[str, list[Row]]:
    split_of: dict[str, str] = {}
    kept: dict[str, list[Row]] = {}
    for name, rows in parts.items():
        kept[name] = []
        for row in rows:
            if (other := split_of.setdefault(row[0].casefold(), name)) != name:
                tell(DataError(f"{row[0]} is in {other} and in {name}", files[name], "images in one split only"))
            else:
                kept[name].append(row)
    return kept


def _build(base: Path, rows: list[Row]) -> Split:
    return Split(
        root=base,
        images=tuple(path for path, _ in rows),
        image_person=np.arange(len(rows), dtype=np.int64),
        captions=tuple(caption for _, captions in rows for caption in captions),
        caption_image=np.repeat(np.arange(len(rows), dtype=np.int64), [len(captions) for _, captions in rows]),
        persons=tuple(path for path, _ in rows),
    )
