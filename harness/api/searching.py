"""Trained models put to use: loaded from a trial or a folder, and asked for the images that a sentence describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api import asking

if TYPE_CHECKING:
    import pandas as pd

    from harness.retrieval.index import Index
    from harness.retrieval.model import Model


def load(what: str | Path, *, store: str | Path | None = None, device: str = "auto", activation: str = "auto") -> Model:
    """A model that takes images and sentences.

    Args:
        what: The id of a trial whose model was kept, or its first digits; a folder that `upbench export` wrote; a
            shipped backbone; or a file or folder of weights in one of the forms that `upbench weights` knows.
        store: Where the trial's results are.
        device: "cpu", "cuda" or "auto".
        activation: "gelu" or "quick_gelu" for a file that does not tell it.

    Raises:
        UserError, EnvironmentFault: no such model, one that was not kept, or a backbone that has changed since.
    """
    from harness.retrieval import sources
    from harness.retrieval.model import Model

    if not Path(what).exists() and re.fullmatch(r"[0-9a-f]{4,64}", str(what)):
        return _of_trial(str(what), asking.places(store, None)[0], device)
    return Model.of(sources.source_of(what, activation), device)


def index(
    folder: str | Path,
    model: Model | str | Path,
    *,
    place: str | Path | None = None,
    precision: str | None = None,
    store: str | Path | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Index:
    """The index of a folder of images, made or brought up to date; its `search` answers in milliseconds.

    Args:
        folder: Of images, with everything below it.
        model: From `load`, or what `load` takes.
        place: Where the index is kept; default in the folder.
        precision: Of an index that is made: "float16" (default) or "float32".
        store: Where a trial's results are.
        told: Called with images encoded and to be encoded.

    Raises:
        UserError: no such folder or model, or an index of another model.
        DataError: no readable image, or a damaged index.
        EnvironmentFault: the index cannot be written.
    """
    from harness.retrieval.index import open_index

    if isinstance(model, (str, Path)):
        model = load(model, store=store)
    return open_index(Path(folder), model, Path(place) if place else None, precision, told)


def search(
    folder: str | Path, sentences: str | Sequence[str], model: Model | str | Path, *, top: int = 10, **given: Any
) -> pd.DataFrame:
    """The images of a folder that sentences describe best; `index` first, with its further arguments in `given`.

    Returns:
        Columns query (number of the sentence), sentence, rank (from 1), path (below the folder), score (cosine).

    Raises:
        UserError, DataError, EnvironmentFault: as `load` and `index`; no sentence, or an empty one.
    """
    from harness.retrieval.model import refuse_empty

    refuse_empty([sentences] if isinstance(sentences, str) else sentences)  # before a folder is indexed for it
    return index(folder, model, **given).search(sentences, top)


def encode(
    what: str | Path, out: Path, model: Model, *, split: str = "test", data: str | Path | None = None
) -> dict[str, Any]:
    """Write features of a folder of images, or of one split of a data set, to a Parquet file.

    Args:
        what: A folder that exists, or a data set's name.
        out: The file.
        model: From `load`.
        split: Of a data set: "train", "val" or "test".
        data: Folder of data sets.

    Returns:
        images and captions written, and `damaged`: path to what is wrong with it.

    Raises:
        UserError: no such folder or data set.
        DataError, EnvironmentFault: nothing to read, or nowhere to write.
    """
    from harness import registry
    from harness.retrieval import features

    damaged: dict[str, str] = {}
    if Path(what).is_dir():
        batches = features.of_folder(Path(what), model, damaged)
    else:
        registry.find("datasets", str(what))
        batches = features.of_dataset(str(what), split, asking.places(None, data)[1], model)
    counts: dict[str, int] = {"image": 0, "caption": 0}

    def counted() -> Iterator[dict[str, Any]]:
        for columns in batches:
            counts[columns["kind"][0]] += len(columns["index"])
            yield columns

    features.write(out, counted(), model)
    return {"images": counts["image"], "captions": counts["caption"], "damaged": damaged}


def _of_trial(ident: str, store: str | Path, device: str) -> Model:
    from harness.retrieval import of_trial

    return of_trial.model(str(store), ident, device)
