"""Features of a data set, or of a folder of images, as a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness import parallel
from harness.errors import DataError, EnvironmentFault
from harness.retrieval.index import STRETCH
from harness.retrieval.kept import scan
from harness.retrieval.model import Model
from harness.trial import splits

# A row of the file; `index` counts images and captions apart, in the order of the split or of the paths.
SCHEMA = [
    pa.field("kind", pa.string()),  # image or caption
    pa.field("index", pa.int32()),
    pa.field("text", pa.string()),  # path of an image below the folder, or the caption
    pa.field("person", pa.int32()),  # identity within the split; null for a folder
    pa.field("image", pa.int32()),  # of a caption: index of the image that it describes
]


def write(out: Path, batches: Iterator[dict[str, Any]], model: Model) -> int:
    """Write batches of columns beside `out` and put them in its place when all is there; gives the rows.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    schema = pa.schema([*SCHEMA, pa.field("feature", pa.list_(pa.float32(), model.embed))])
    schema = schema.with_metadata({"model": model.label, "identity": model.identity})
    beside, rows = out.with_name(f".{out.name}.new"), 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(beside, schema) as writer:
            for columns in batches:
                flat = pa.array(columns["feature"].reshape(-1), pa.float32())
                columns["feature"] = pa.FixedSizeListArray.from_arrays(flat, model.embed)
                writer.write_table(pa.table({field.name: columns[field.name] for field in schema}, schema))
                rows += len(columns["index"])
        os.replace(beside, out)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror or error}", out) from None
    finally:
        with suppress(OSError):
            beside.unlink()
    return rows


def of_dataset(name: str, split: str, data: str | Path, model: Model) -> Iterator[dict[str, Any]]:
    """Images and captions of one split."""
    part = splits.part({"dataset": name, "options": {}}, data, split, model.source)
    paths = [str(part.split.path(i)) for i in range(len(part.split.image_person))]
    yield _columns("image", paths, part.split.image_person, None, model.encode_pixels(part.images))
    texts = list(part.split.captions)
    person, image = part.split.caption_person, part.split.caption_image
    yield _columns("caption", texts, person, image, model.encode_texts(texts))


def of_folder(folder: Path, model: Model, damaged: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Images below a folder, a stretch at a time; what cannot be read is put into `damaged`."""
    paths, index = [file.path for file in scan(folder)], 0
    with ThreadPoolExecutor(parallel.processors()) as pool:
        for start in range(0, len(paths), STRETCH):
            some = paths[start : start + STRETCH]
            read = list(pool.map(lambda path: model.pixels_or_fault(folder / path), some))
            good = [(path, pixels) for path, (pixels, _) in zip(some, read, strict=True) if pixels is not None]
            damaged |= {path: fault for path, (_, fault) in zip(some, read, strict=True) if fault}
            if good:
                features = model.encode_pixels(np.stack([pixels for _, pixels in good]))
                yield _columns("image", [path for path, _ in good], None, None, features, index)
                index += len(good)
    if not index:
        raise DataError("no readable image", folder)


def _columns(
    kind: str,
    texts: list[str],
    person: np.ndarray | None,
    image: np.ndarray | None,
    features: np.ndarray,
    first: int = 0,
) -> dict[str, Any]:
    none = pa.nulls(len(texts), pa.int32())
    return {
        "kind": [kind] * len(texts),
        "index": pa.array(np.arange(first, first + len(texts)), pa.int32()),
        "text": texts,
        "person": none if person is None else pa.array(person, pa.int32()),
        "image": none if image is None else pa.array(image, pa.int32()),
        "feature": features,
    }
