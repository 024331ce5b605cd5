"""What a split is made of, as one short string: part of a trial's identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from harness.data.split import Split
from harness.errors import DataError


def files(split: Split) -> list[os.stat_result]:
    """The state of every image file, in the order of `split.images`.

    Raises:
        DataError: files are missing; says how many, in which folders, and names the first.
    """
    states, missing = [], []
    for name in split.images:
        try:
            states.append(os.stat(split.root / name))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
    if missing:
        folders = Counter(str(PurePosixPath(name).parent) for name in missing)
        parts = ", ".join(f"{folder} {count}" for folder, count in folders.most_common(5))
        raise DataError(
            f"{len(missing)} of {len(split.images)} images missing ({parts}), first {missing[0]}", where=split.root
        )
    return states


def digest(parts: Iterable[object]) -> str:
    """SHA-256 of values that JSON can hold, each ended by a byte that JSON never writes; 64 hex digits."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(json.dumps(part, ensure_ascii=True).encode() + b"\0")
    return whole.hexdigest()


def fingerprint(split: Split) -> str:
    """SHA-256 over captions, identities, image names and file sizes; 64 hex digits.

    The root folder and times are left out: a copy of the same data elsewhere is the same data.
    """
    sizes = [state.st_size for state in files(split)]
    persons = split.image_person.tolist()
    return digest((split.images, sizes, persons, split.captions, split.caption_image.tolist(), split.persons))
