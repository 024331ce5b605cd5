"""What a trial reads: splits, packed images and token ids of a data set, as one backbone wants them.

Kept for the later trials of the same process; on disk under `<data>/.cache`, shared by all processes.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from filelock import FileLock
from pydantic import ConfigDict, Field, ValidationError, create_model

from harness import registry
from harness.data.fingerprint import fingerprint
from harness.data.maps import write
from harness.data.pipeline.pack import pack
from harness.data.split import Split
from harness.data.subset import share
from harness.data.train import HINTS, OPTIONS, changed, taken
from harness.errors import DataError, UserError, brief, nearest
from harness.measured_on import MeasuredOn
from harness.model.tokenizer import Tokenizer, tokenizer
from harness.model.weights import Source, pixels

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
SEED = Field(ge=0, lt=2**63)


@dataclass(frozen=True)
class Part:
    """One split, ready for a backbone.

    Attributes:
        split: Identities and captions.
        images: uint8 [images, 3, H, W], memory-mapped.
        ids: int64 [captions, context].
        truncated: Captions cut to the context.
    """

    split: Split
    images: np.ndarray
    ids: np.ndarray
    truncated: int


def splits(dataset: Mapping, data: str | Path) -> dict[str, Split]:
    """The splits of `{dataset: name, options: {...}}`; `root` among the options names the data set's folder, and
    those of `harness.data.train` cut its train and give captions of it to wrong images."""
    return _splits(json.dumps(dataset, sort_keys=True), str(data))


@functools.lru_cache(maxsize=8)
def _splits(dataset: str, data: str) -> dict[str, Split]:
    given = json.loads(dataset)
    module = registry.find("datasets", given["dataset"])
    check(given["dataset"], given["options"])
    options, cut = taken(given["options"])
    root = Path(options.pop("root", None) or Path(data) / module.FOLDER)
    splits = module.load(root, **options)
    return {**splits, "train": changed(splits["train"], cut)} if cut else splits


def check(name: str, given: Mapping[str, object]) -> None:
    """Raise DataError for an option that a data set has not, or whose value has another type than its loader says."""
    load = registry.find("datasets", name).load
    hints = {**get_type_hints(load), **HINTS, "root": str}
    known = [*list(inspect.signature(load).parameters)[1:], "root", *OPTIONS]
    for key, value in given.items():
        if key not in known:
            expected = f"one of {', '.join(known)}"
            raise DataError(f"data set {name} has no option '{brief(key)}'", None, expected, nearest(key, known))
        kind: Any = hints.get(key, object)
        try:
            create_model("Option", __config__=STRICT, value=(kind, SEED if key.endswith("seed") else ...))(value=value)
            if key in ("fraction", "noise") and value:
                share(value)
        except ValidationError as error:
            problem, got = error.errors()[0]["msg"], f"{brief(repr(value))} ({type(value).__name__})"
            raise DataError(f"data set {name}: {key}: {problem[:1].lower()}{problem[1:]}, got {got}") from error


def one_thing(datasets: Iterable[Mapping], data: str | Path) -> None:
    """Raise UserError where two that results take for one, since only their folders differ, have another test split."""
    known: dict[MeasuredOn, dict[str, Mapping]] = {}
    for dataset in datasets:
        places = known.setdefault(MeasuredOn.of(dataset), {})
        places.setdefault(str((dataset.get("options") or {}).get("root") or "the usual folder"), dataset)
    for on, places in known.items():
        found: dict[str, str] = {}
        for place, dataset in places.items() if len(places) > 1 else ():
            found.setdefault(fingerprint(splits(dataset, data)["test"]), place)
        if len(found) > 1:
            raise UserError(
                f"{on.text} has other test data in {' than in '.join(found.values())}",
                "datasets",
                "one folder for each data set of a study: results tell data sets by name and options",
            )


def val_source(dataset: Mapping) -> str:
    """Where the val of a data set comes from: `official`, or what its loader says instead."""
    return getattr(registry.find("datasets", dataset["dataset"]), "VAL", "official")


def identity(dataset: Mapping, data: str | Path) -> str:
    """Fingerprint of all splits, 16 hex digits; part of a trial's identity."""
    return _identity(json.dumps(dataset, sort_keys=True), str(data))


@functools.lru_cache(maxsize=32)
def _identity(dataset: str, data: str) -> str:
    parts = {name: fingerprint(split) for name, split in sorted(_splits(dataset, data).items())}
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def maps(dataset: Mapping, data: str | Path) -> Path:
    """The folder that says which identity, image and caption each number of a data set is; see `harness.data.maps`.

    A trial writes it when it first reads the data set: `<data>/.cache/maps/<data set>-<identity of its contents>`.
    """
    name = f"{Path(dataset['dataset']).stem}-{identity(dataset, data)}"
    return write(splits(dataset, data), Path(data) / ".cache" / "maps" / name)


@functools.lru_cache(maxsize=16)
def _part(dataset: str, data: str, name: str, source: Source) -> Part:
    split = _splits(dataset, data)[name]
    cache = Path(data) / ".cache"
    maps(json.loads(dataset), data)
    images = pack(split, pixels(source)["size"], cache / "images")
    ids, truncated = tokens(split.captions, tokenizer(source), cache / "tokens")
    return Part(split, images, ids, truncated)


def part(dataset: Mapping, data: str | Path, name: str, source: Source) -> Part:
    """Split `name` of a data set for a backbone; images are packed and captions encoded on first use."""
    return _part(json.dumps(dataset, sort_keys=True), str(data), name, source)


def tokens(captions: tuple[str, ...], encoder: Tokenizer, cache: Path) -> tuple[np.ndarray, int]:
    """Token ids of captions and how many were cut, from the cache or written to it."""
    digest = hashlib.sha256(encoder.key.encode())
    for caption in captions:
        digest.update(caption.encode() + b"\0")
    path = cache / f"{digest.hexdigest()[:20]}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                ids, truncated = encoder(captions)
                beside = path.with_name(f".{path.stem}.{os.getpid()}.npz")
                np.savez(beside, ids=ids.astype(np.int32), truncated=truncated)
                os.replace(beside, path)
    with np.load(path) as saved:
        return saved["ids"].astype(np.int64), int(saved["truncated"])
