"""What `upbench inspect` wrote, read back without torch: matches, features, evidence and thumbnails of one trial."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import registry
from harness.errors import DataError
from reports.drawing import palette, style

FOLDER = "inspections"
FIGURES = ("retrieval_gallery", "attention", "tsne")


@dataclass(frozen=True)
class Inspection:
    """One trial's folder; the files are described in `harness/trial/inspection.py`."""

    folder: Path
    about: dict
    retrieval: list[dict]
    features: dict[str, np.ndarray]
    evidence: dict[str, np.ndarray]

    @property
    def name(self) -> str:
        """Method, budget, dataset and seed, for a note."""
        budget = f" {self.about['budget']}" if isinstance(self.about["budget"], str) else ""
        where = f"{palette.name(self.about['dataset'])}, seed {self.about['seed']}"
        return f"{palette.name(self.about['label'])}{budget}, {where}, Rank-1 {self.about['rank1']:.1f}"

    def picture(self, index: int) -> np.ndarray:
        """The thumbnail of a gallery image, uint8 [H, W, 3]."""
        from PIL import Image

        with Image.open(self.folder / "thumbnails" / f"{index}.jpg") as image:
            return np.asarray(image.convert("RGB"))


def load(folder: Path) -> Inspection:
    """Read one folder.

    Raises:
        DataError: a file is absent or not what was written.
    """
    try:
        texts = [(folder / f"{name}.json").read_text(encoding="utf-8") for name in ("about", "retrieval")]
        about, retrieval = map(json.loads, texts)
        arrays = []
        for name in ("features", "evidence"):
            with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                arrays.append({key: file[key] for key in file.files})
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no whole inspection: {error}", where=folder, expected="upbench inspect again") from error
    return Inspection(folder, about, retrieval, *arrays)


def latest(root: Path, ids: Iterable[str]) -> Inspection | None:
    """The newest inspection of one of these trials below a store; None if there is none."""
    known = [place for ident in ids if (place := root / FOLDER / ident).is_dir()]
    return load(max(known, key=lambda place: place.stat().st_mtime)) if known else None


def draw_all(inspection: Inspection, out: Path, preset: str) -> list[Path]:
    """Draw and save every figure that is made from an inspection."""
    written = []
    for name in FIGURES:
        module = registry.find("figures", name)
        if module.applies(None, inspection):
            written += style.save(module.draw(None, preset, inspection), out / name)
    return written
