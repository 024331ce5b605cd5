"""How fast are training steps, encoding and the metric here, and how long would 60 epochs of CUHK-PEDES take?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from harness.benchmark import ratios, scaling
from harness.benchmark.doctor._line import BAD, OK, Line, Setting
from harness.evaluation import encode
from harness.evaluation.ranking import rank_positives
from harness.model.weights import pixels, random, shape
from harness.training.recipe import Recipe

METHODS = ("full", "lora", "prefix", "adapter", "up_person")
BATCHES = {"cpu": (16,), "cuda": (64, 128, 256)}
EPOCHS, CAPTIONS = 60, 68_126  # of CUHK-PEDES's training split


def check(setting: Setting) -> Iterator[Line]:
    """ViT-B/16 at 384x128, or the tiny backbone where small; times: the processor's on a CPU, the wall's on a GPU."""
    device = setting.device
    source = ratios.source("tiny" if setting.small else "ViT-B-16")
    batches = (8,) if setting.small else BATCHES[device.type]
    about = {"backbone": source.name, "image": list(pixels(source)["size"])}
    for row in scaling.steps(source, METHODS, batches, Recipe(), device, 1 if setting.small else 3):
        line = step(row)
        own = {"method": row.method, "batch": row.batch, "seconds": row.seconds}
        yield replace(line, figures={**about, **own} if line.verdict == OK else None)
    backbone, count = random(shape(source), seed=0).to(device), 16 if setting.small else 256
    drawn = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, *pixels(source)["size"], generator=drawn).to(device)
    ids = ratios.captions(count, backbone.shape.text.tokens, backbone.shape.text.vocabulary).numpy()
    for what, way in (
        ("images", partial(encode.encode, backbone.image, count, lambda rows: images[rows], 64)),
        ("captions", partial(encode.encode_texts, backbone, ids, 64)),
    ):
        way()
        line = timed(f"zero_shot, {count} {what} encoded in float32", count, seconds := ratios.clock(way, device))
        own = {"encoded": what, "seconds": seconds / count}
        yield replace(line, figures={**about, **own} if line.verdict == OK else None)
    sizes = tuple(size // 10 if setting.small else size for size in ratios.CUHK)
    queries, gallery = (torch.randn(n, 512, generator=drawn).to(device) for n in sizes[:2])
    persons = [torch.arange(n) % sizes[2] for n in sizes[:2]]
    ranked = partial(rank_positives, queries, gallery, persons[0], persons[1])
    ranked()
    yield timed(f"ranks, {sizes[0]:,} queries x {sizes[1]:,} images", sizes[0], ratios.clock(ranked, device))


def step(row: scaling.Row) -> Line:
    """A step's line; a share of the device's own rate above one would be a wrong clock or count."""
    memory = "memory not measured" if row.memory is None else f"{row.memory / 2**20:,.0f} MiB"
    parts = f" in parts of {row.micro}" if row.micro < row.batch else ""
    told = f"{row.seconds:.3g} s, {row.batch / row.seconds:,.0f} pairs/s, {row.share:.0%} of the product rate, {memory}"
    good = 0 < row.seconds < math.inf and 0 < row.share <= 1
    what = f"step of {row.method}, batch {row.batch}{parts}"
    projected = f"; {hours(row.seconds, row.batch):,.1f} h for {EPOCHS} epochs of {CAPTIONS:,}"
    return Line(what, told + projected, "share of 0 to 100%", OK if good else BAD)


def hours(seconds: float, batch: int) -> float:
    """Of the steps of `EPOCHS` epochs of whole batches, without evaluation and loading."""
    return EPOCHS * (CAPTIONS // batch) * seconds / 3600


def timed(what: str, count: int, seconds: float) -> Line:
    """A time that has to be one."""
    told = f"{seconds:.3g} s, {count / seconds if seconds else math.nan:,.0f}/s"
    return Line(what, told, "above 0 s", OK if 0 < seconds < math.inf else BAD)
