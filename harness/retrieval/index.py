"""An index of a folder of images: the features of a model, kept on disk and brought up to date for what has changed.

    about.json            model, size, precision, and which of the files below belong together
    files-G.parquet       path below the folder, size, time of change, row of the features (-1: cannot be read, and why)
    features-G.bin        features, row by row, float16 or float32; appended to, and mapped into memory to be read

`about.json` is replaced last, and `files-G.parquet` as a whole, so a build that is killed keeps what it had committed.
Rows are never written twice; when more than half of them belong to nothing any more, a new generation G is begun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from harness import parallel
from harness.errors import DataError, EnvironmentFault, UserError

if TYPE_CHECKING:  # pandas is imported where a table is asked for: it takes as long as a search
    import pandas as pd

    from harness.retrieval.model import Model

PLACE = ".upbench-index"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"}
STRETCH = 512  # images between two commits
BLOCK = 8192  # rows that are widened to float32 at once
QUERIES = 256  # whose scores are in memory at once
SCHEMA = pa.schema(
    [("path", pa.string()), ("bytes", pa.int64()), ("changed", pa.int64()), ("row", pa.int64()), ("fault", pa.string())]
)


class File(NamedTuple):
    """An image file as it was when it was read; a row of `files-G.parquet`.

    Attributes:
        path: Below the folder.
        bytes, changed: Its size, and the time of its last change in ns.
        row: Of its features; -1 when it cannot be read.
        fault: What is wrong with it, or None.
    """

    path: str
    bytes: int
    changed: int
    row: int = -1
    fault: str | None = None


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
            return _refresh(_Kept(place, folder, model, precision), model, told)
    except OSError as error:
        raise EnvironmentFault(
            f"the index cannot be written: {error.strerror or error}", place, "--index PLACE where it can be"
        ) from None


class _Kept:
    """An index on disk."""

    def __init__(self, place: Path, folder: Path, model: Model, precision: str | None) -> None:
        self.place, self.folder, self.embed = place, folder, model.embed
        self.about = _about(place)
        mine = {"model": model.identity, "label": model.label, "embed": model.embed}
        if not self.about:
            self.about = {**mine, "precision": precision or "float16", "generation": 0}
        elif self.about["model"] != model.identity:
            raise UserError(
                f"the index is of another model: {self.about['label']} ({self.about['model']})",
                where=place,
                expected=f"{model.label} ({model.identity}), --index PLACE for one more, or the folder {place} removed",
            )
        elif precision and precision != self.about["precision"]:
            raise UserError(
                f"the index is kept in {self.about['precision']}",
                where=place,
                expected=f"--precision {self.about['precision']}, or --index PLACE for one more",
            )
        self.kind = np.dtype(self.about["precision"])

    def path(self, name: str, suffix: str) -> Path:
        return self.place / f"{name}-{self.about['generation']}.{suffix}"

    def files(self) -> dict[str, File]:
        """Path to file."""
        if not (self.place / "about.json").exists():
            return {}
        try:
            columns = pq.ParquetFile(self.path("files", "parquet")).read().cast(SCHEMA).to_pydict()
            rows = self.rows()
        except (OSError, ValueError, KeyError) as error:
            raise self.damaged(error) from None
        last = max(columns["row"], default=-1)
        if last >= rows:
            raise self.damaged(f"{rows} rows of features, {last + 1} in the list")
        return {file[0]: File(*file) for file in zip(*columns.values(), strict=True)}

    def damaged(self, why: object) -> DataError:
        said = " ".join(str(why).split())[:200]
        return DataError(f"the index is damaged: {said}", self.place, "the folder removed; it is made again")

    def rows(self) -> int:
        """Whole rows that the file of features has; a half one, of a build that was killed, does not count."""
        with suppress(FileNotFoundError):
            return self.path("features", "bin").stat().st_size // (self.embed * self.kind.itemsize)
        return 0

    @contextmanager
    def appending(self) -> Iterator[Callable[[np.ndarray], None]]:
        with open(self.path("features", "bin"), "ab") as file:
            os.truncate(file.fileno(), self.rows() * self.embed * self.kind.itemsize)

            def append(features: np.ndarray) -> None:
                file.write(np.ascontiguousarray(features.astype(self.kind)).tobytes())
                file.flush()
                os.fsync(file.fileno())

            yield append

    def commit(self, files: dict[str, File]) -> None:
        columns = zip(*files.values(), strict=True) if files else ((),) * len(SCHEMA)
        table = pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
        _replace(self.path("files", "parquet"), lambda path: pq.write_table(table, path))
        _replace(self.place / "about.json", lambda path: path.write_text(json.dumps(self.about, indent=1)))

    def mapped(self) -> np.ndarray:
        rows = self.rows()
        if not rows:
            return np.empty((0, self.embed), self.kind)
        return np.memmap(self.path("features", "bin"), self.kind, "r", shape=(rows, self.embed))

    def renewed(self, files: dict[str, File]) -> dict[str, File]:
        """A new generation with the rows that are still needed."""
        old, features = [self.path("files", "parquet"), self.path("features", "bin")], self.mapped()
        good = [file for file in files.values() if file.row >= 0]
        kept = np.array(features[[file.row for file in good]])
        self.about = {**self.about, "generation": self.about["generation"] + 1}
        self.path("features", "bin").unlink(missing_ok=True)  # of a renewal that was killed
        with self.appending() as append:
            append(kept)
        files = {**files, **{file.path: file._replace(row=row) for row, file in enumerate(good)}}
        self.commit(files)
        for path in old:
            with suppress(OSError):
                path.unlink()
        return files


def _refresh(kept: _Kept, model: Model, told: Callable[[int, int], None]) -> Index:
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


def scan(folder: Path, place: Path | None = None) -> list[File]:
    """Images below a folder, by path; hidden folders and `place` are left out."""
    found: list[File] = []
    todo = [""]
    while todo:
        below = todo.pop()
        for entry in (entry for entry in os.scandir(os.path.join(folder, below)) if entry.name[0] != "."):
            name = os.path.join(below, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if Path(entry.path) != place:
                    todo.append(name)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                with suppress(FileNotFoundError):  # removed a moment ago
                    stat = entry.stat()
                    found.append(File(name, stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def _about(place: Path) -> dict[str, Any]:
    try:
        found = json.loads((place / "about.json").read_text())
        return {key: found[key] for key in ("model", "label", "embed", "precision", "generation")}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        said = f"the index is damaged: about.json: {type(error).__name__}"
        raise DataError(said, place, "the folder removed; it is made again") from None


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.name}.new")
    write(beside)
    os.replace(beside, path)
