"""Which identity, image and caption a number in the results is: identities are renumbered, and the map is kept.

One folder per data set and contents, with a CSV file per split and kind. Captions are counted, never written.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.split import Split

COLUMNS = {
    "identities": ("person", "identity", "images", "captions"),  # number, as annotated, how many of each
    "images": ("image", "path", "person"),  # number in the gallery, path below the folder of images, identity
    "captions": ("query", "image", "person"),  # number among the queries, its image, its identity
}


def write(splits: Mapping[str, Split], folder: Path) -> Path:
    """The maps of all splits, `<split>_<kind>.csv` in `folder`; files that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in splits.items():
        for kind, columns in COLUMNS.items():
            path = folder / f"{name}_{kind}.csv"
            if not path.is_file():
                beside = folder / f".{path.name}.{os.getpid()}"
                with beside.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows([columns, *_rows(split, kind)])
                os.replace(beside, path)
    return folder


def _rows(split: Split, kind: str) -> Iterator[tuple]:
    if kind == "identities":
        images = np.bincount(split.image_person, minlength=len(split.persons)).tolist()
        captions = np.bincount(split.caption_person, minlength=len(split.persons)).tolist()
        yield from zip(range(len(split.persons)), split.persons, images, captions, strict=True)
    elif kind == "images":
        yield from zip(range(len(split.images)), split.images, split.image_person.tolist(), strict=True)
    else:
        persons = split.caption_person.tolist()
        yield from zip(range(len(persons)), split.caption_image.tolist(), persons, strict=True)
