"""What a study will cost: time, memory and disk, from a few real steps of each method on this device.

`pilot.py` measures the steps. Trials of one method take the numbers of its largest setting; where a batch takes long,
few pairs are measured and scaled to it, and that is said.

A trial is: what it takes to begin, its steps, its looks at val, its one look at test. Left out: reading and packing of
images the first time, start of worker processes, anything else that runs on the machine.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import parallel
from harness.execution.pilot import Probe, probe
from harness.measured_on import SHIFT, of_trial
from harness.model.weights import pixels
from harness.store.store import Record, Store
from harness.trial import splits as data_splits
from harness.trial.kept.attached import source_of

CROWDED = 1.35  # trials side by side share memory and caches: allowance for the upper end
SLACK = 0.9  # of the lower end


@dataclass(frozen=True)
class Estimate:
    """What the trials that are to run will cost.

    Attributes:
        trials, workers: How many, and side by side.
        seconds: (low, high) for all of them on the workers.
        longest: s of the longest trial.
        memory: Peak bytes of the largest trial while training; None where it is not measured.
        disk: Bytes that all of them add to the store, checkpoints and kept models left out.
        checkpoint: Bytes of the largest checkpoint, of which two are kept while a trial runs.
        images: Bytes of the packed images of their data sets, made once.
        scaled: Methods whose probe is scaled from a smaller batch.
    """

    trials: int
    workers: int
    seconds: tuple[float, float]
    longest: float
    memory: int | None
    disk: int
    checkpoint: int
    images: int
    scaled: tuple[str, ...]


def estimate(
    rows: Sequence[Mapping[str, Any]],
    data: str | Path,
    workers: int | None = None,
    probes: Mapping[str, Probe] | None = None,
) -> Estimate | None:
    """Cost of resolved trials that are still to run; None when there are none.

    Args:
        rows: As `Resolved.as_dict()` gives them, those of a search and those that wait for one too.
        data: Folder of data sets; probes are kept below it.
        workers: Trials side by side; default one per core or GPU.
        probes: Of each key of `largest`; measured when None.
    """
    rows = [row for row in rows if row["status"] in ("ready", "waiting")]
    if not rows:
        return None
    told = largest(rows)
    probes = {key: probe(row, data) for key, row in told.items()} if probes is None else probes
    low, high = zip(*(_seconds(row, probes[method(row)], data) for row in rows), strict=True)
    gpu = any(row["trial"]["device"] == "cuda" for row in rows)
    side = workers or ((torch.cuda.device_count() if gpu else parallel.processors()) or 1)
    side = min(side, len(rows))
    crowded = CROWDED if side > 1 else 1.0
    # At the end some workers have nothing left to do while the last trial runs.
    ragged = max(high) * (1 - 1 / side)
    memories = [probes[key].memory for key in told if probes[key].memory is not None]
    return Estimate(
        trials=len(rows),
        workers=side,
        seconds=(SLACK * sum(low) / side, crowded * sum(high) / side + ragged),
        longest=max(high),
        memory=max((found for found in memories if found is not None), default=None),
        disk=sum(_bytes(row, data) for row in rows),
        checkpoint=max(_checkpoint(row) for row in rows),
        images=_images(rows, data),
        scaled=tuple(dict.fromkeys(row["trial"]["label"] for key, row in told.items() if probes[key].scaled)),
    )


def largest(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Of the trials that are to run, by `method` the one that trains most, by which the others are told."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        key = method(row)
        if row["status"] in ("ready", "waiting") and (key not in found or row["trained"] > found[key]["trained"]):
            found[key] = row
    return found


def _checkpoint(row: Mapping[str, Any]) -> int:
    """Bytes: weights, two moments and the choice, and the mean where one is taken."""
    return 4 * row["trained"] * (4 + (row["trial"]["recipe"]["average"] is not None))


def _seconds(row: Mapping[str, Any], found: Probe, data: str | Path) -> tuple[float, float]:
    """Of one trial, from its shortest and from its longest steps."""
    trial, recipe = row["trial"], row["trial"]["recipe"]
    splits = data_splits.splits(trial["dataset"], data)
    steps = recipe["epochs"] * math.ceil(len(splits["train"].captions) / recipe["batch"])
    images, captions = encoded(trial, data)
    looking = images * found.image + captions * found.caption
    shortest, usual, longest = found.step
    fixed = found.begin + looking
    return fixed + steps * (shortest + usual) / 2, fixed + steps * (usual + longest) / 2


def encoded(trial: Mapping[str, Any], data: str | Path) -> tuple[int, int]:
    """Images and captions that a trial encodes, at all its looks at val and at its one look at test."""
    recipe = trial["recipe"]
    chooses = trial["selection"] != "last"
    val = [data_splits.splits(trial["dataset"], data)["val"]]
    looks = val * (1 + math.ceil(recipe["epochs"] / recipe["evaluate_every"]) if chooses else 0)
    if trial.get("phase") != "tuning":
        looks += [data_splits.splits(of, data)["test"] for of in of_trial(trial).values()]
    return sum(len(split.images) for split in looks), sum(len(split.captions) for split in looks)


def method(row: Mapping[str, Any]) -> str:
    """What trials share whose cost is much the same: everything but size, rates, data and seed."""
    trial = row["trial"]
    decides = ("batch", "losses", "precision", "augmentation", "checkpointing", "average")
    recipe = {key: trial["recipe"][key] for key in decides}
    return json.dumps([trial["method"], trial["backbone"], recipe, trial["device"], row["trained"] == 0])


def _bytes(row: Mapping[str, Any], data: str | Path) -> int:
    """Of a trial's shard in the store: what one query takes, times the queries of both directions."""
    trial = row["trial"]
    fixed, each = _shard()
    if trial.get("phase") == "tuning":
        return fixed
    tests = [data_splits.splits(of, data)["test"] for of in of_trial(trial).values()]
    return fixed + round(each * sum(len(test.captions) + len(test.images) for test in tests))


def _shard() -> tuple[int, float]:
    """Bytes of a shard without per-query records, and of one record, from two that are written and thrown away."""
    if not _KNOWN:
        generator = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as folder:
            sizes = [_written(Path(folder) / str(count), count, generator) for count in (0, 4000)]
        _KNOWN.append((sizes[0], (sizes[1] - sizes[0]) / 4000))
    return _KNOWN[0]


_KNOWN: list[tuple[int, float]] = []


def _written(folder: Path, count: int, generator: np.random.Generator) -> int:
    ranks, half = (
        generator.integers(1, 1000, count),
        count // 2,
    )  # only text to image keeps all ranks
    positives = generator.integers(1, 5, count)
    back = np.arange(count) >= half
    queries = {
        "dataset": ["a"] * count,
        "split": ["test"] * count,
        "direction": ["t2i"] * half + ["i2t"] * half,
        "query": np.arange(count),
        "person": generator.integers(0, 1000, count),
        "positives": positives,
        "first": np.where(back, ranks, np.nan),
        "ap": np.where(back, 1 / ranks, np.nan),
        "inp": np.where(back, 1 / (1 + ranks), np.nan),
        "ranks": [rank + np.arange(n) for rank, n in zip(ranks[:half], positives, strict=False)] + [None] * half,
    }
    row = {"id": "0" * 16, "label": "a", "method": "a", "dataset": "a", "seed": 0, "status": "ok", "spec": {}}
    Store(folder).commit(Record(trial=row, queries=queries if count else ()))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _images(rows: Sequence[Mapping[str, Any]], data: str | Path) -> int:
    """Bytes of the images of every data set and size, as they are packed."""
    found = {}
    for row in rows:
        trial = row["trial"]
        height, width = pixels(source_of(trial))["size"]
        for of in (trial["dataset"], *trial["evaluate_on"]):
            count = sum(len(split.images) for split in data_splits.splits(of, data).values())
            options = {key: value for key, value in of["options"].items() if key not in SHIFT}  # no pack of its own
            found[json.dumps([of["dataset"], options], sort_keys=True), height, width] = count * height * width * 3
    return sum(found.values())
