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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_type_hints

import numpy as np
from filelock import FileLock
from pydantic import ConfigDict, Field, ValidationError, create_model

from harness import registry
from harness.data.fingerprint import fingerprint
from harness.data.maps import write
from harness.data.pipeline.pack import key as pack_key
from harness.data.pipeline.pack import pack
from harness.data.split import Split
from harness.data.subset import share
from harness.data.train import HINTS, OPTIONS, changed, taken
from harness.errors import DataError, UserError, brief, nearest
from harness.measured_on import MeasuredOn
from harness.model.tokenizer import Tokenizer, tokenizer
from harness.model.weights import Source, pixels
from harness.shifts import _shift as shifts

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
SEED = Field(ge=0, lt=2**63)


@dataclass(frozen=True)
class Part:
    """One split, ready for a backbone.

    Attributes:
        split: Identities and captions.
        images: uint8 [images, 3, H, W], memory-mapped, or shifted as they are read.
        ids: int64 [captions, context].
        truncated: Captions cut to the context.
        keys: Of images and captions: equal ones are the same; empty where a shift has touched them.
    """

    split: Split
    images: np.ndarray
    ids: np.ndarray
    truncated: int
    keys: tuple[str, str] = ("", "")


def splits(dataset: Mapping, data: str | Path) -> dict[str, Split]:
    """The splits of `{dataset: name, options: {...}}`; `root` among the options names the data set's folder, those of
    `harness.data.train` cut its train and give captions of it to wrong images, and `shift`, `severity`, `shift_seed`
    shift its test (`harness.shifts`): its captions here, its images in a `Part`."""
    plain, shift = _plain(dataset)
    found = _splits(plain, str(data))
    return {**found, "test": shift.split(found["test"])} if shift else found


def _plain(dataset: Mapping) -> tuple[str, shifts.Shift | None]:
    """A data set without its shift, as text, and the shift."""
    options, shift = shifts.taken(dataset.get("options") or {})
    return json.dumps({**dataset, "options": options}, sort_keys=True), shift


@functools.lru_cache(maxsize=8)
def _splits(dataset: str, data: str) -> dict[str, Split]:
    given = json.loads(dataset)
    module = registry.find("datasets", given["dataset"])
    check(given["dataset"], given["options"])
    options, cut = taken(given["options"])
    root = Path(options.pop("root", None) or Path(data) / module.FOLDER)
    splits = module.load(root, **options)
    return {**splits, "train": changed(splits["train"], cut)} if cut else splits


def check(name: str, given: Mapping[str, object], whole: bool = True) -> None:
    """Raise DataError for an option that a data set has not, or whose value has another type than its loader says; and
    where `given` is all of them, for some that need others."""
    load = registry.find("datasets", name).load
    hints = {**get_type_hints(load), **HINTS, "root": str}
    known = [*list(inspect.signature(load).parameters)[1:], "root", *OPTIONS, *shifts.OPTIONS]
    for key, value in given.items():
        if key in shifts.OPTIONS:
            shifts.check(key, value)
            continue
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
    if whole:
        shifts.taken(given)


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
    """Fingerprint of all splits and of a shift's name and code, 16 hex digits; part of a trial's identity."""
    plain, shift = _plain(dataset)
    found = _identity(plain, str(data))
    return hashlib.sha256(f"{found} {shift.key}".encode()).hexdigest()[:16] if shift else found


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
    cache, size = Path(data) / ".cache", pixels(source)["size"]
    maps(json.loads(dataset), data)
    images, encoder = pack(split, size, cache / "images"), tokenizer(source)
    ids, truncated = tokens(split.captions, encoder, cache / "tokens")
    return Part(split, images, ids, truncated, (pack_key(split, size), named(split.captions, encoder)))


def part(dataset: Mapping, data: str | Path, name: str, source: Source) -> Part:
    """Split `name` of a data set for a backbone; images are packed and captions encoded on first use.

    A shifted test shares what the shift does not touch with the test as it is.
    """
    plain, shift = _plain(dataset)
    whole = _part(plain, str(data), name, source)
    if shift is None or name != "test":
        return whole
    if shift.pictures:
        images = shift.images(whole.images, whole.split.image_person)
        # They answer whatever readers of a test split ask of an array.
        return replace(whole, images=cast(np.ndarray, images), keys=("", whole.keys[1]))
    split = shift.split(whole.split)
    ids, truncated = tokens(split.captions, tokenizer(source), Path(data) / ".cache" / "tokens")
    return Part(split, whole.images, ids, truncated, (whole.keys[0], ""))


def named(captions: tuple[str, ...], encoder: Tokenizer) -> str:
    """The name of captions as a tokenizer encodes them, 20 hex digits."""
    digest = hashlib.sha256(encoder.key.encode())
    for caption in captions:
        digest.update(caption.encode() + b"\0")
    return digest.hexdigest()[:20]


def tokens(captions: tuple[str, ...], encoder: Tokenizer, cache: Path) -> tuple[np.ndarray, int]:
    """Token ids of captions and how many were cut, from the cache or written to it."""
    path = cache / f"{named(captions, encoder)}.npz"
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
