"""What an index of a folder of images keeps on disk.

    about.json            model, size, precision, and which of the files below belong together
    files-G.parquet       path below the folder, size, time of change, row of the features (-1: cannot be read, and why)
    features-G.bin        features, row by row, float16 or float32; appended to, and mapped into memory to be read

`about.json` is replaced last, and `files-G.parquet` as a whole, so a build that is killed keeps what it had committed.
Rows are never written twice; when more than half of them belong to nothing any more, a new generation G is begun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, UserError

if TYPE_CHECKING:
    from harness.retrieval.model import Model

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"}
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


class Kept:
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
