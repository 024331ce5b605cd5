"""How much faster the harness is than the straightforward way: ratios from one run, interleaved, on synthetic inputs.

The baselines are `tests/baselines/naive.py`, so that a checkout is needed. Every case first compares the results of
both ways and refuses to time what differs.
"""

from __future__ import annotations

import copy
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from harness import memory, registry
from harness.adaptation.method import trainable
from harness.data.pipeline import augment, tokens
from harness.data.pipeline.images import read
from harness.errors import EnvironmentFault, RunFailed
from harness.evaluation import encode
from harness.evaluation.ranking import rank_positives
from harness.model.weights import Source, pixels, random, shape
from harness.training.losses import sdm

BASELINES = Path(__file__).parents[2] / "tests/baselines/naive.py"
CUHK, ICFG = (6156, 3074, 1000), (19848, 19848, 1000)  # queries, gallery, identities of the test splits
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Case:
    """Two ways to the same result.

    Attributes:
        name: What is done.
        naive: The straightforward way.
        fast: The harness's way.
        tolerance: Largest difference of the first results, relative to the largest value.
        factor: Of the work, how much more `fast` does than `naive`, whose time is multiplied by it.
    """

    name: str
    naive: Callable[[], Tensor]
    fast: Callable[[], Tensor]
    tolerance: float | None
    factor: int = 1


@dataclass(frozen=True)
class Row:
    """Medians of `runs` interleaved runs: CPU seconds on a CPU, wall seconds on a GPU; ratio = naive / fast.

    `wall` is the ratio of wall seconds, which several threads shorten and other work on the machine disturbs.
    `*_memory` is the peak of the first run in bytes, see `harness.memory.Peak`; that of a part of the work is its own.
    """

    case: str
    naive: float
    fast: float
    ratio: float
    wall: float
    runs: int
    threads: int
    difference: float | None
    naive_memory: int | None = None
    fast_memory: int | None = None


def baselines(path: Path = BASELINES) -> ModuleType:
    """The naive baselines.

    Raises:
        EnvironmentFault: this is no checkout.
    """
    if not path.is_file():
        raise EnvironmentFault("the baselines of the bench are part of the tests", "bench", "a checkout of the project")
    spec = importlib.util.spec_from_file_location("naive", path)
    assert spec is not None and spec.loader is not None  # of a Python file there is one
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(case: Case, runs: int, device: torch.device) -> Row:
    """Compare once, which also warms up, then time both in turns.

    Raises:
        RunFailed: the results differ.
    """
    results, peaks = [], []
    for way in (case.naive, case.fast):
        peak = memory.Peak(device)
        results.append(way().double().cpu())
        peaks.append(peak.bytes())
    first, second = results
    off = None
    if case.tolerance is not None:
        off = float((first - second).abs().max() / first.abs().max())
        if not off <= case.tolerance:
            raise RunFailed(f"{case.name}: results differ by {off:.1e}", "bench", f"at most {case.tolerance:.0e}")
    seconds: tuple[list[float], list[float]] = [], []
    walls: tuple[list[float], list[float]] = [], []
    for _ in range(runs):
        for way, found, passed in zip((case.naive, case.fast), seconds, walls, strict=True):
            begin = time.perf_counter()
            found.append(clock(way, device))
            passed.append(time.perf_counter() - begin)
    naive, fast = median(seconds[0]) * case.factor, median(seconds[1])
    ratio, wall = naive / fast, median(walls[0]) * case.factor / median(walls[1])
    return Row(case.name, naive, fast, ratio, wall, runs, torch.get_num_threads(), off, *peaks)


def clock(way: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call: the processor's on a CPU, the wall's on a GPU."""
    now = time.process_time
    if device.type == "cuda":
        now = time.perf_counter
        torch.cuda.synchronize(device)
    begin = now()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return now() - begin


def source(backbone: str) -> Source:
    """A backbone of the bench: `tiny` at its own size, others at 384x128 with OpenAI's activation."""
    return Source(backbone, image=(96, 32) if backbone == "tiny" else (384, 128), activation="quick_gelu")


def cases(device: torch.device, backbone: str, batch: int, quick: bool = False, full: bool = False) -> Iterator[Case]:
    """The suite; `quick` takes a tenth of the queries, `full` adds ICFG-PEDES's size and the step of ViT-B/16."""
    naive = baselines()
    queries, gallery, persons = (size // 10 if quick else size for size in CUHK)
    yield metric(naive, f"metric, {queries:,} x {gallery:,}", (queries, gallery, persons), device)
    if full:
        yield metric(naive, f"metric, {ICFG[0]:,} x {ICFG[1]:,}", ICFG, device, 8)
    for name in dict.fromkeys([backbone, *(["ViT-B-16"] if full else [])]):
        yield step(naive, source(name), batch, device, False)
        yield step(naive, source(name), batch, device, True)
    yield texts(source(backbone), 64 if quick else 256, device)
    for preset in ("irra", "flip_crop"):
        yield images(naive, 32 if quick else 256, preset)


def metric(naive: ModuleType, name: str, size: tuple[int, int, int], device: torch.device, part: int = 1) -> Case:
    """All metrics of random embeddings; with `part` n, the naive way for a n-th of the queries (its time times n)."""
    generator = torch.Generator().manual_seed(0)
    queries, gallery, persons = size
    q, g = (torch.randn(n, 512, generator=generator).to(device) for n in (queries, gallery))
    qp, gp = (torch.arange(n, device=device) % persons for n in (queries, gallery))
    # Matches are nearer, as those of a trained model are.
    centres = torch.randn(persons, 512, generator=generator).to(device)
    q, g = q + 0.5 * centres[qp], g + 0.5 * centres[gp]
    few = queries // part
    names = ("R1", "R5", "R10", "mAP", "mINP")

    def slow() -> Tensor:
        found = naive.metrics(q[:few], g, qp[:few], gp)
        return torch.tensor([found[name] for name in names])

    def fast() -> Tensor:
        ranks = rank_positives(q, g, qp, gp)
        found = {k: v for m in registry.names("metrics") for k, v in registry.find("metrics", m).measure(ranks).items()}
        return torch.tensor([100 * found[name].mean() for name in names])

    label = name if part == 1 else f"{name}, naive: 1/{part} of the queries, times {part}"
    return Case(label, slow, fast, 1e-5 if part == 1 else None, part)


def step(naive: ModuleType, source: Source, batch: int, device: torch.device, bf16: bool) -> Case:
    """A training step of `up_person`: forward, SDM loss, backward, Adam; the naive one in float32."""
    ours = random(shape(source), seed=0)
    generator = torch.Generator().manual_seed(0)
    for parameter in ours.parameters():
        if parameter.ndim == 1:  # random weights have no biases, and a wrong one would not show
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        registry.find("methods", "up_person").Method().attach(ours)
    theirs = copy.deepcopy(ours).to(device)
    ours.to(device)
    height, width = pixels(source)["size"]
    pictures = torch.randn(batch, 3, height, width, generator=generator).to(device)
    ids = captions(batch, ours.shape.text.tokens, ours.shape.text.vocabulary)
    cut, ids, person = tokens.trim(ids).to(device), ids.to(device), torch.arange(batch, device=device)
    mine, other = list(trainable(ours).values()), list(trainable(theirs).values())
    fused = torch.optim.Adam(mine, lr=1e-4, eps=1e-3, fused=True)
    single = torch.optim.Adam([{"params": [p]} for p in other], lr=1e-4, eps=1e-3, foreach=False)

    def descend(optimizer: torch.optim.Optimizer, image: Tensor, text: Tensor) -> Tensor:
        loss = sdm.loss(image.float(), text.float(), person, 0.02)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()[None]

    def slow() -> Tensor:
        return descend(single, *naive.features(theirs, pictures, ids))

    def fast() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found = ours.image(pictures), ours.text(cut)
        return descend(fused, *found)

    name = f"step of up_person, {source.name}, batch {batch}, {'bf16' if bf16 else 'float32'}"
    return Case(name, slow, fast, 0.1 if bf16 else 1e-3)


def texts(source: Source, count: int, device: torch.device) -> Case:
    """Frozen text features of captions, all of full length or cut and sorted by length."""
    backbone = random(shape(source), seed=0).to(device)
    ids = captions(count, backbone.shape.text.tokens, backbone.shape.text.vocabulary).numpy()

    def slow() -> Tensor:
        return encode.encode(backbone.text, count, lambda rows: torch.as_tensor(ids[rows], device=device), 64)

    return Case(f"frozen texts, {source.name}", slow, lambda: encode.encode_texts(backbone, ids, 64), 1e-4)


def captions(count: int, context: int, vocabulary: int) -> Tensor:
    """Ids [count, context] with lengths around 28 tokens, as CUHK-PEDES has them."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, vocabulary - 2, (count, context))
    ids[:, 0] = vocabulary - 2
    for row, end in zip(ids, rng.normal(28, 8, count).clip(8, context - 1).astype(int), strict=True):
        row[end], row[end + 1 :] = vocabulary - 1, 0
    return torch.from_numpy(ids)


def images(naive: ModuleType, count: int, preset: str = "irra", batch: int = 64) -> Case:
    """Augmented batches of 384x128 JPEGs: decoded each time, or from a packed array (packing is not timed).

    `flip_crop` is what is left for the host where a GPU erases.

    Both draw their own crops, so that results are not compared.
    """
    folder = tempfile.TemporaryDirectory(prefix="upbench-")
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        path = Path(folder.name) / f"{number}.jpg"
        coarse = Image.fromarray(rng.integers(0, 255, (24, 8, 3), dtype=np.uint8))
        coarse.resize((128, 384), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    packed = torch.from_numpy(np.stack([read(path, (384, 128)) for path in paths])).permute(0, 3, 1, 2).contiguous()
    room, erase = torch.empty(min(batch, count), 3, 384, 128), augment.PRESETS[preset].erase is not None

    def few(part: Tensor) -> Tensor:  # reading every pixel again would be part of both times
        return part[..., ::16, ::16].mean()

    def slow() -> Tensor:
        assert folder  # alive as long as the case
        return torch.stack([few(part) for part in naive.loader(paths, (384, 128), MEAN, STD, batch, erase)])

    def fast() -> Tensor:
        found = []
        for index in torch.arange(count).split(batch):
            part = augment.prepare(packed, preset, MEAN, STD, 0, 0, index, out=room[: len(index)], rows=index)
            found.append(few(part))
        return torch.stack(found)

    return Case(f"augmented batches, {preset}, {count} images", slow, fast, None)
