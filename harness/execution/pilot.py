"""A few real steps of a method: how long they take on this device, and how much memory.

Steps are trained with the study's backbone, batch and recipe, on drawn pixels and the captions of the data set, and
some pairs are encoded. What was measured is kept under `<data>/.cache/probes`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from harness import memory, provenance, registry
from harness.adaptation import carried
from harness.adaptation.method import make, trainable
from harness.data.split import Split
from harness.evaluation import cost, encode
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source, lacking, pixels, random, shape
from harness.training import heads
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.kept.attached import source_of
from harness.trial.loader import Loader

STEPS = 4  # timed, after one that is not
FEW, LONG = 4, 2.0  # pairs of the first try; s that all steps of a method may take before only few pairs are measured
PAIRS = 64  # encoded


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


def probe(row: Mapping[str, Any], data: str | Path) -> Probe:
    """Measure a trial's method, or read what was measured before under the same conditions."""
    path = _place(row, data)
    if (found := _read(path)) is not None:
        return found
    found = _measure(row, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{os.getpid()}")
    beside.write_text(json.dumps(asdict(found)), encoding="utf-8")
    os.replace(beside, path)
    return found


def kept(row: Mapping[str, Any], data: str | Path) -> Probe | None:
    """What `probe` measured before under the same conditions."""
    return _read(_place(row, data))


def _read(path: Path) -> Probe | None:
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return Probe(**{**found, "step": tuple(found["step"])})


def _place(row: Mapping[str, Any], data: str | Path) -> Path:
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
    return Path(data) / ".cache" / "probes" / f"{name}.json"


def _measure(row: Mapping[str, Any], data: str | Path) -> Probe:
    trial = row["trial"]
    source = source_of(trial)
    device, threads = torch.device(trial["device"]), torch.get_num_threads()
    torch.set_num_threads(trial["threads"])
    given = Recipe(**trial["recipe"])
    split = splits.splits(trial["dataset"], data)["train"]
    try:
        began = time.perf_counter()
        backbone = random(shape(source)) if lacking(source) else carried.load(source)
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
        loader = Loader(source, recipe, 0, device)
        cost.saved_bytes(backbone)
        cost.flops(backbone, *loader.sample(part))
        begin = time.perf_counter() - began
        steps, peak, scaled = (0.0, 0.0, 0.0), None, None
        if given.epochs and trainable(backbone):
            some, peak = _steps(backbone, source, recipe, extra, part, min(FEW, given.batch), 1)
            if given.batch > 2 * FEW and STEPS * median(some) * given.batch / FEW > LONG:
                scaled, less = 2 * FEW, peak
                some, peak = _steps(backbone, source, recipe, extra, part, scaled, 2)
                if peak is not None and less is not None:  # part of it does not grow with the batch
                    peak += max(0, peak - less) * (given.batch - scaled) // FEW
            else:
                some, peak = _steps(backbone, source, recipe, extra, part, given.batch, STEPS)
            times = given.batch / scaled if scaled else 1.0
            steps = min(some) * times, median(some) * times, max(some) * times
        backbone.eval()
        count = FEW if scaled else PAIRS
        images, captions = part.images[:count], part.ids[:count]
        image = _timed(lambda: encode.encode_images(backbone, images, loader.normalise, bf16=loader.bf16)) / count
        caption = _timed(lambda: encode.encode_texts(backbone, captions, bf16=loader.bf16)) / count
        return Probe(begin, steps, image, caption, peak, scaled)
    finally:
        torch.set_num_threads(threads)
        memory.release(device)


def _steps(backbone, source, recipe, extra, part, pairs: int, count: int) -> tuple[list[float], int | None]:
    """Seconds of `count` steps after a first one, and the peak of memory in them."""
    split, device = part.split, backbone.text.position.device
    taken = dataclasses.replace(split, captions=split.captions[:pairs], caption_image=split.caption_image[:pairs])
    own = Loader(source, recipe.model_copy(update={"batch": pairs, "epochs": count + 1}), 0, device)
    batches, steps = own.batches(dataclasses.replace(part, split=taken, ids=part.ids[:pairs]))
    training = Training(backbone, own.recipe, steps, extra, 0)
    cost.reset_peak(device)
    seconds = [step.seconds for step in training.run(batches, own.prepare)]
    return seconds[1:], cost.peak(device)


def _drawn(split: Split, source: Source, pairs: int) -> splits.Part:
    """The first pairs of a split with drawn pixels, each caption with an image of its own."""
    index = np.resize(np.arange(len(split.captions)), pairs)
    height, width = pixels(source)["size"]
    images = np.random.default_rng(0).integers(0, 256, (pairs, 3, height, width), dtype=np.uint8)
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
    return splits.Part(drawn, images, np.asarray(ids, dtype=np.int64), truncated)


def _timed(call: Callable[[], object]) -> float:
    """Seconds of the second of two calls."""
    call()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
