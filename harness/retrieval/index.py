"""An index of a folder of images: searched, and brought up to date for what has changed (`kept.py`: on disk)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from harness import parallel
from harness.errors import DataError, EnvironmentFault, UserError
from harness.retrieval.kept import SUFFIXES, File, Kept, scan

if TYPE_CHECKING:  # pandas is imported where a table is asked for: it takes as long as a search
    import pandas as pd

    from harness.retrieval.model import Model

PLACE = ".upbench-index"
STRETCH = 512  # images between two commits
BLOCK = 8192  # rows that are widened to float32 at once
QUERIES = 256  # whose scores are in memory at once


@dataclass(frozen=True)
class Index:
    """What is searched.

    Attributes:
        folder: Of the images.
        model: Whose features they are.
        files: The indexed images, by path.
        features: [rows, embed], mapped from disk; the row of a file points into it.
        damaged: Path to what is wrong with it, of files that were passed over.
        added: Images encoded by the call that opened it.
        gone: Images that were in the index and are not in the folder any more.
    """

    folder: Path
    model: Model
    files: tuple[File, ...]
    features: np.ndarray
    damaged: dict[str, str]
    added: int
    gone: int

    def search(self, sentences: str | Sequence[str], top: int = 10) -> pd.DataFrame:
        """The images that sentences describe best.

        Returns:
            Columns query (number of the sentence), sentence, rank (from 1), path (below the folder), score (cosine).

        Raises:
            UserError: no sentence, or an empty one.
        """
        import pandas as pd

        texts = [sentences] if isinstance(sentences, str) else list(sentences)
        if not texts:
            raise UserError("no sentence to search for", expected="one sentence or more")
        best = self.matches(texts, top)
        count = len(best[0])
        return pd.DataFrame(
            {
                "query": np.repeat(np.arange(len(texts)), count),
                "sentence": np.repeat(np.array(texts, dtype=object), count),
                "rank": np.tile(np.arange(1, count + 1), len(texts)),
                "path": np.array([path for one in best for path, _ in one], dtype=object),
                "score": np.array([score for one in best for _, score in one], dtype=np.float32),
            }
        )

    def matches(self, sentences: Sequence[str], top: int = 10) -> list[list[tuple[str, float]]]:
        """What `search` finds: for each sentence paths with their cosines, the best first."""
        best, scores = self.best(self.model.encode_texts(sentences), top)
        return [
            [(self.files[i].path, float(score)) for i, score in zip(order, row, strict=True)]
            for order, row in zip(best, scores, strict=True)
        ]

    def best(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        """The best images of each query.

        Args:
            queries: float32 [queries, embed], each of length 1.
            top: How many; fewer where the folder has fewer.

        Returns:
            Places in `files` [queries, top] from the best, and their cosines. Of equal ones the first path comes first.
        """
        found = [self._best(queries[start : start + QUERIES], top) for start in range(0, len(queries), QUERIES)]
        return np.concatenate([order for order, _ in found]), np.concatenate([scores for _, scores in found])

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.array([file.row for file in self.files])

    def _best(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows
        scores = np.empty((len(queries), len(rows)), np.float32)
        for start in range(0, len(rows), BLOCK):
            part = self.features[rows[start : start + BLOCK]].astype(np.float32)
            scores[:, start : start + BLOCK] = queries @ part.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return order, np.take_along_axis(scores, order, axis=1)


def open_index(
    folder: Path,
    model: Model,
    place: Path | None = None,
    precision: str | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Index:
    """The index of a folder, made or brought up to date: only new and changed files are encoded.

    Args:
        folder: Searched with everything below it; hidden folders are left out.
        model: Whose features they are.
        place: Where the index is kept; default in the folder itself.
        precision: "float16" or "float32", of an index that is made; None takes what is there, else float16.
        told: Called with images encoded and to be encoded.

    Raises:
        UserError: no such folder, or an index of another model or precision.
        DataError: no readable image.
        EnvironmentFault: the index cannot be written.
    """
    if not folder.is_dir():
        raise UserError(f"no folder of images: {folder}", expected="a folder that exists")
    place = place or folder / PLACE
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "lock"):
            return _refresh(Kept(place, folder, model, precision), model, told)
    except OSError as error:
        raise EnvironmentFault(
            f"the index cannot be written: {error.strerror or error}", place, "--index PLACE where it can be"
        ) from None


def _refresh(kept: Kept, model: Model, told: Callable[[int, int], None]) -> Index:
    known, here = kept.files(), scan(kept.folder, kept.place)
    files = {file.path: known[file.path] for file in here if known.get(file.path, ())[:3] == file[:3]}
    todo = [file for file in here if file.path not in files]
    gone = len(known.keys() - {file.path for file in here})
    if todo:
        with kept.appending() as append, ThreadPoolExecutor(parallel.processors()) as pool:
            for start in range(0, len(todo), STRETCH):
                part = todo[start : start + STRETCH]
                read = list(pool.map(lambda file: model.pixels_or_fault(kept.folder / file.path), part))
                whole = [pixels for pixels, _ in read if pixels is not None]
                row = kept.rows()
                if whole:
                    append(model.encode_pixels(np.stack(whole)))
                for file, (pixels, fault) in zip(part, read, strict=True):
                    files[file.path] = file._replace(row=-1 if pixels is None else row, fault=fault)
                    row += pixels is not None
                kept.commit(files)
                told(start + len(part), len(todo))
    elif len(files) < len(known):
        kept.commit(files)
    if kept.rows() > 2 * max(STRETCH, sum(file.row >= 0 for file in files.values())):
        files = kept.renewed(files)
    by_path = [files[path] for path in sorted(files)]
    good = tuple(file for file in by_path if file.row >= 0)
    damaged = {file.path: file.fault or "" for file in by_path if file.row < 0}
    if not good:
        what = f"none of {len(damaged)} images can be read" if damaged else "no images"
        raise DataError(what, kept.folder, f"files that end with {', '.join(sorted(SUFFIXES))}")
    return Index(kept.folder, model, good, kept.mapped(), damaged, len(todo), gone)
