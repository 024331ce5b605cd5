"""What a training step costs against what the device can do: share of its matrix products, and memory by batch.

The reference is the rate of one large matrix product measured here, in the precision of the step. The same code runs
on a CPU and on a GPU; on a CPU the clock counts the processor's seconds, on a GPU it is the wall's, synchronised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from harness import memory, registry
from harness.adaptation.method import trainable
from harness.benchmark.ratios import captions, clock
from harness.data.pipeline import tokens
from harness.model.weights import Source, pixels, random, shape
from harness.training import optimizer
from harness.training.recipe import Recipe
from harness.training.step import Stepper

SIDE = {"cpu": 1536, "cuda": 8192}  # of the matrices whose product is timed


@dataclass(frozen=True)
class Row:
    """A training step, forward, loss, backward and optimizer.

    Attributes:
        method: Attached with its default options.
        batch: Pairs.
        micro: Pairs per forward pass; below `batch` where memory ran out.
        seconds: Median of a step.
        flops: Operations of a step, counted by torch.
        share: flops / seconds as a fraction of the rate of a large matrix product.
        memory: Peak bytes beyond weights and inputs, see `harness.memory.Peak`.
    """

    method: str
    batch: int
    micro: int
    seconds: float
    flops: float
    share: float
    memory: int | None


def rate(device: torch.device, bf16: bool, runs: int = 5) -> float:
    """Operations per second of a large square matrix product, the best of some runs."""
    side = SIDE[device.type]
    a, b = (torch.randn(side, side, device=device).to(torch.bfloat16 if bf16 else torch.float32) for _ in range(2))
    seconds = [clock(lambda: a @ b, device) for _ in range(runs + 1)][1:]
    return 2 * side**3 / min(seconds)


def steps(
    source: Source,
    methods: Sequence[str],
    batches: Sequence[int],
    recipe: Recipe,
    device: torch.device,
    runs: int = 3,
) -> Iterator[Row]:
    """A row for every method and batch, on random weights and inputs; methods without trained parameters are left out.

    Args:
        source: The backbone.
        methods: Names.
        batches: Pairs of a step.
        recipe: Losses, precision, checkpointing, pairs per forward pass.
        device: Where.
        runs: Timed steps after one that is not.
    """
    best = rate(device, recipe.bf16(device.type))
    for method in methods:
        backbone = random(shape(source), seed=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            registry.find("methods", method).Method().attach(backbone)
        parameters = trainable(backbone.to(device))
        if not parameters:
            continue
        for batch in batches:
            yield _row(source, method, backbone, parameters, batch, recipe, device, runs, best)


def _row(source, method, backbone, parameters, batch, recipe, device, runs, best) -> Row:
    height, width = pixels(source)["size"]
    images = torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0)).to(device)
    sizes = backbone.shape.text
    ids = tokens.trim(captions(batch, sizes.tokens, sizes.vocabulary)).to(device)
    person = torch.arange(batch, device=device)
    adam, stepper = optimizer.build(parameters, recipe), Stepper(backbone, recipe, {})

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        stepper(images, ids, person)
        adam.step()

    peak = memory.Peak(device)
    base = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    step()
    found = peak.bytes()
    seconds = median(clock(step, device) for _ in range(runs))
    counter = FlopCounterMode(display=False)
    with counter:
        step()
    flops = counter.get_total_flops()
    beyond = None if found is None else found - base
    micro = min(stepper.micro or batch, batch)
    return Row(method, batch, micro, seconds, flops, flops / seconds / best, beyond)
