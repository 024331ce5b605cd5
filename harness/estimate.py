"""What a study will cost: time, memory and disk, from a few real steps of each method on this device.

A probe trains some steps of a method with the study's backbone, batch and recipe, on drawn pixels and the data set's
own captions, encodes a few pairs, and is kept under `<data>/.cache/probes`. Trials of one method take the numbers of its
largest setting. Where a batch takes long, a small one is measured and scaled, and that is said.

A trial is: what it takes to begin, its steps, its looks at val, its one look at test. Left out: reading and packing of
images the first time, start of worker processes, anything else that runs on the machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from harness import cost, evaluate, heads, material, memory, provenance, registry
from harness.data.split import Split
from harness.method import make, trainable
from harness.recipe import Recipe
from harness.store import Record, Store
from harness.tokenizer import tokenizer
from harness.train import Training
from harness.view import View
from harness.weights import Source, lacking, load, pixels, random, shape

STEPS = 4  # timed, after one that is not
FEW, LONG = 4, 2.0  # pairs of the first try; s that all steps of a method may take before only few pairs are measured
PAIRS = 64  # encoded
CROWDED = 1.35  # trials side by side share memory and caches: allowance for the upper end
SLACK = 0.9  # of the lower end


@dataclass(frozen=True)
class Probe:
    """What was measured of a method.

    Attributes:
        begin: s until its first step.
        step: s of a step, (shortest, median, longest).
        image, caption: s to encode one.
        memory: Peak bytes while training, see `harness.memory.Peak`; None where it is not measured.
        scaled: Pairs that were measured where that is not the batch, else None.
    """

    begin: float
    step: tuple[float, float, float]
    image: float
    caption: float
    memory: int | None
    scaled: int | None = None


@dataclass(frozen=True)
class Estimate:
    """What the trials that are to run will cost.

    Attributes:
        trials, workers: How many, and side by side.
        seconds: (low, high) for all of them on the workers.
        longest: s of the longest trial.
        memory: Peak bytes of the largest trial while training; None where it is not measured.
        disk: Bytes that all of them add to the store, checkpoints left out.
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


def estimate(rows: Sequence[Mapping[str, Any]], data: str | Path, workers: int | None = None) -> Estimate | None:
    """Cost of resolved trials that are still to run; None when there are none.

    Args:
        rows: As `Resolved.as_dict()` gives them, those of a search and those that wait for one too.
        data: Folder of data sets; probes are kept below it.
        workers: Trials side by side; default one per core or GPU.
    """
    rows = [row for row in rows if row["status"] in ("ready", "waiting")]
    if not rows:
        return None
    largest: dict[str, Mapping] = {}
    for row in rows:
        key = _method(row)
        if key not in largest or row["trained"] > largest[key]["trained"]:
            largest[key] = row
    probes = {key: probe(row, data) for key, row in largest.items()}
    low, high = zip(*(_seconds(row, probes[_method(row)], data) for row in rows), strict=True)
    gpu = any(row["trial"]["device"] == "cuda" for row in rows)
    side = workers or ((torch.cuda.device_count() if gpu else len(os.sched_getaffinity(0))) or 1)
    side = min(side, len(rows))
    crowded = CROWDED if side > 1 else 1.0
    # At the end some workers have nothing left to do while the last trial runs.
    ragged = max(high) * (1 - 1 / side)
    memories = [found.memory for found in probes.values() if found.memory is not None]
    return Estimate(
        trials=len(rows),
        workers=side,
        seconds=(SLACK * sum(low) / side, crowded * sum(high) / side + ragged),
        longest=max(high),
        memory=max(memories, default=None),
        disk=sum(_bytes(row, data) for row in rows),
        checkpoint=max(3 * 4 * row["trained"] + 4 * row["trained"] for row in rows),  # weights, two moments; the choice
        images=_images(rows, data),
        scaled=tuple(dict.fromkeys(row["trial"]["label"] for key, row in largest.items() if probes[key].scaled)),
    )


def probe(row: Mapping[str, Any], data: str | Path) -> Probe:
    """Measure a trial's method, or read what was measured before under the same conditions."""
    trial = row["trial"]
    skipped = ("epochs", "lr", "warmup_epochs", "warmup_factor", "weight_decay", "schedule", "schedule_per", "name")
    about = {
        "method": (Path(trial["method"]).stem, trial["options"]),
        "backbone": trial["backbone"],
        "recipe": {key: value for key, value in trial["recipe"].items() if key not in skipped},
        "untrained": not row["trained"],
        "dataset": trial["dataset"],
        "machine": (trial["device"], trial["threads"], provenance.hardware(trial["device"]), torch.__version__),
        "code": (row["hashes"] or {}).get("code"),
    }
    name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:20]
    path = Path(data) / ".cache" / "probes" / f"{name}.json"
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Probe(**{**kept, "step": tuple(kept["step"])})
    found = _measure(row, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{name}.{os.getpid()}")
    beside.write_text(json.dumps(asdict(found)), encoding="utf-8")
    os.replace(beside, path)
    return found


def _measure(row: Mapping[str, Any], data: str | Path) -> Probe:
    trial = row["trial"]
    source = Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in trial["backbone"].items()})
    device, threads = torch.device(trial["device"]), torch.get_num_threads()
    torch.set_num_threads(trial["threads"])
    given = Recipe(**trial["recipe"])
    split = material.splits(trial["dataset"], data)["train"]
    try:
        began = time.perf_counter()
        backbone = random(shape(source)) if lacking(source) else load(source)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            make(registry.find("methods", trial["method"]), trial["options"]).attach(backbone)
        backbone.to(device)
        sizes = shape(source)
        inside = (sizes.image.embed, len(split.persons), 0, sizes.text.vocabulary, given.interaction)
        extra = {name: head.to(device) for name, head in heads.build(trial.get("heads", ()), *inside).items()}
        part = _drawn(split, source, max(PAIRS, given.batch if given.epochs else 0))
        # What decides nothing about the cost of a step is set so that any number of pairs is a batch.
        recipe = given.model_copy(update={"sampler": "random", "epochs": max(1, given.epochs), "micro_batch": None})
        view = View(source, recipe, 0, device)
        cost.saved_bytes(backbone)
        cost.flops(backbone, *view.sample(part))
        begin = time.perf_counter() - began
        steps, peak, scaled = (0.0, 0.0, 0.0), None, None
        if given.epochs and trainable(backbone):
            few = min(FEW, given.batch)
            some, peak = _steps(backbone, source, recipe, extra, part, few, 1)
            scaled = few if given.batch > few and STEPS * median(some) * given.batch / few > LONG else None
            if scaled is None:
                some, peak = _steps(backbone, source, recipe, extra, part, given.batch, STEPS)
            times = given.batch / scaled if scaled else 1.0
            steps = min(some) * times, median(some) * times, max(some) * times
            peak = None if peak is None else round(peak * times)
        backbone.eval()
        count = FEW if scaled else PAIRS
        images, captions = part.images[:count], part.ids[:count]
        image = _timed(lambda: evaluate.encode_images(backbone, images, view.normalise, bf16=view.bf16)) / count
        caption = _timed(lambda: evaluate.encode_texts(backbone, captions, bf16=view.bf16)) / count
        return Probe(begin, steps, image, caption, peak, scaled)
    finally:
        torch.set_num_threads(threads)
        memory.release(device)


def _steps(backbone, source, recipe, extra, part, pairs: int, count: int) -> tuple[list[float], int | None]:
    """Seconds of `count` steps after a first one, and the peak of memory in them."""
    split, device = part.split, backbone.text.position.device
    taken = dataclasses.replace(split, captions=split.captions[:pairs], caption_image=split.caption_image[:pairs])
    own = View(source, recipe.model_copy(update={"batch": pairs, "epochs": count + 1}), 0, device)
    batches, steps = own.batches(dataclasses.replace(part, split=taken, ids=part.ids[:pairs]))
    training = Training(backbone, own.recipe, steps, extra, 0)
    cost.reset_peak(device)
    seconds = [step.seconds for step in training.run(batches, own.prepare)]
    return seconds[1:], cost.peak(device)


def _drawn(split: Split, source: Source, pairs: int) -> material.Part:
    """The first pairs of a split with drawn pixels, each caption with an image of its own."""
    index = np.resize(np.arange(len(split.captions)), pairs)
    height, width = pixels(source)["size"]
    images = np.random.default_rng(0).integers(0, 256, (pairs, height, width, 3), dtype=np.uint8)
    captions = tuple(split.captions[i] for i in index)
    ids, truncated = tokenizer(source)(captions)
    drawn = Split(
        split.root,
        tuple(str(i) for i in range(pairs)),
        split.caption_person[index],
        captions,
        np.arange(pairs),
        split.persons,
    )
    return material.Part(drawn, images, np.asarray(ids, dtype=np.int64), truncated)


def _timed(call) -> float:
    """Seconds of the second of two calls."""
    call()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _seconds(row: Mapping[str, Any], found: Probe, data: str | Path) -> tuple[float, float]:
    """Of one trial, from its shortest and from its longest steps."""
    trial, recipe = row["trial"], row["trial"]["recipe"]
    splits = material.splits(trial["dataset"], data)
    steps = recipe["epochs"] * math.ceil(len(splits["train"].captions) / recipe["batch"])
    chooses = trial["selection"] != "last"
    looks = [splits["val"]] * (1 + math.ceil(recipe["epochs"] / recipe["evaluate_every"]) if chooses else 0)
    if trial.get("phase") != "tuning":
        others = [other for other in trial["evaluate_on"] if other != trial["dataset"]]
        looks += [splits["test"], *(material.splits(other, data)["test"] for other in others)]
    encoded = sum(len(s.images) * found.image + len(s.captions) * found.caption for s in looks)
    shortest, usual, longest = found.step
    fixed = found.begin + encoded
    return fixed + steps * (shortest + usual) / 2, fixed + steps * (usual + longest) / 2


def _method(row: Mapping[str, Any]) -> str:
    """What trials share whose cost is much the same: everything but size, rates, data and seed."""
    trial = row["trial"]
    recipe = {key: trial["recipe"][key] for key in ("batch", "losses", "precision", "augmentation", "checkpointing")}
    return json.dumps([trial["method"], trial["backbone"], recipe, trial["device"], row["trained"] == 0])


def _bytes(row: Mapping[str, Any], data: str | Path) -> int:
    """Of a trial's shard in the store: what one query takes, times the queries of both directions."""
    trial = row["trial"]
    fixed, each = _shard()
    if trial.get("phase") == "tuning":
        return fixed
    others = [other for other in trial["evaluate_on"] if other != trial["dataset"]]
    tests = [material.splits(of, data)["test"] for of in (trial["dataset"], *others)]
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
    ranks = generator.integers(1, 1000, count)
    queries = {
        "dataset": ["a"] * count,
        "split": ["test"] * count,
        "direction": ["t2i"] * count,
        "query": np.arange(count),
        "person": generator.integers(0, 1000, count),
        "positives": generator.integers(1, 5, count),
        "first": ranks,
        "ap": 1 / ranks,
        "inp": 1 / (1 + ranks),
    }
    row = {"id": "0" * 16, "label": "a", "method": "a", "dataset": "a", "seed": 0, "status": "ok", "spec": {}}
    Store(folder).commit(Record(trial=row, queries=queries if count else ()))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _images(rows: Sequence[Mapping[str, Any]], data: str | Path) -> int:
    """Bytes of the images of every data set and size, as they are packed."""
    found = {}
    for row in rows:
        trial = row["trial"]
        source = Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in trial["backbone"].items()})
        height, width = pixels(source)["size"]
        for of in (trial["dataset"], *trial["evaluate_on"]):
            count = sum(len(split.images) for split in material.splits(of, data).values())
            found[json.dumps(of, sort_keys=True), height, width] = count * height * width * 3
    return sum(found.values())
