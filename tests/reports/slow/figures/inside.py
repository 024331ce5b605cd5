"""What figures of one trial read: the files that an inspection leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.reports.slow.drawn import Mark
from tests.reports.slow.names import NAMES

RATIO, PAD = 2, 0.05  # height over width of a picture; its distance from the edges of its place


def read(folder: Path, name: str) -> list | dict:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def trial(folder: Path) -> str:
    """Which trial it is, in words."""
    a = read(folder, "about")
    named = f"{NAMES[a['label']]} {a['budget']}, {NAMES[a['dataset']]}, seed {a['seed']}"
    return f"{named}, Rank-1 {a['rank1']:.1f}"


def pixels(folder: Path, index: int) -> np.ndarray:
    with Image.open(folder / "thumbnails" / f"{index}.jpg") as image:
        return np.asarray(image.convert("RGB")).astype(float)


def picture(panel: int, place: int, shown: np.ndarray) -> Mark:
    """Pixels [height, width, 3], upright, at a place of a row."""
    edge = PAD / RATIO
    return Mark("image", panel, [place + PAD, place + 1 - PAD, edge, 1 - edge, *shown.ravel()], (*shown.shape, "upper"))
