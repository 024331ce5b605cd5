"""A training of four steps through everything that a trial's training goes through, without a file on disk."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from harness import registry
from harness.data.split import Split
from harness.model import half_precision
from harness.model.clip import Backbone
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source, load, shape
from harness.training import heads
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial.loader import Loader
from harness.trial.splits import Part

SOURCE, CPU = Source("tiny"), torch.device("cpu")
BASE = {"epochs": 2, "batch": 8, "warmup_epochs": 1, "lr": 0.01, "weight_decay": 0.1}


@functools.cache
def part() -> Part:
    """16 captions of 8 images of 4 identities."""
    random = np.random.default_rng(0)
    colours = ["red", "blue", "green", "white", "black", "grey", "yellow", "brown"]
    captions = tuple(f"A person in a {a} coat and {b} trousers." for a in colours for b in colours[:2])
    images, person = tuple(f"{i}.png" for i in range(8)), np.arange(8) // 2
    split = Split(Path(), images, person, captions, np.arange(16) // 2, ("a", "b", "c", "d"))
    pixels = random.integers(0, 256, (8, 3, 96, 32), dtype=np.uint8)
    return Part(split, pixels, tokenizer(SOURCE)(captions)[0].astype(np.int64), 0)


@dataclass
class Seen:
    """What a training did.

    Attributes:
        losses: One per step.
        rates: One per step.
        trained: Parameters at the end, by name.
        index: Captions of each batch.
        passes: Pairs in each pass through the image tower.
        blocks: Passes through the first block of the image tower.
    """

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    trained: dict[str, Tensor] = field(default_factory=dict)
    index: list[list[int]] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    blocks: int = 0


class Noise(nn.Module):
    """Dropout of features, behind a trained shift."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift, self.drawn = nn.Parameter(torch.zeros(width)), []

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x + self.shift
        self.drawn.append(torch.rand(x.shape))
        return (x + self.shift) * (self.drawn[-1] > 0.2)


def attach(backbone: Backbone, method: str) -> Noise | None:
    if method == "noise":
        backbone.image.head.append(noise := Noise(backbone.shape.image.embed))
        return noise
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        registry.find("methods", method).Method().attach(backbone)
    return None


def training(recipe: Recipe, seed: int = 0, method: str = "layer_norm") -> tuple[Training, Loader]:
    """As a trial prepares it."""
    backbone = load(SOURCE)
    attach(backbone, method)
    half_precision.place(backbone, CPU, recipe.precision)
    sizes = shape(SOURCE)
    names = heads.parameters(recipe.losses, sizes.image.embed, 4, sizes.text.vocabulary, recipe.interaction)
    extra = heads.build(names, sizes.image.embed, 4, seed, sizes.text.vocabulary, recipe.interaction)
    loader = Loader(SOURCE, recipe, seed, CPU)
    return Training(backbone, recipe, loader.batches(part())[1], extra, seed), loader


def train(seed: int = 0, method: str = "layer_norm", **settings) -> Seen:
    """Train to the end and tell what was seen."""
    run, loader = training(Recipe(**{**BASE, **settings}), seed, method)
    seen, batches = Seen(), loader.batches(part())[0]
    backbone = run.modules["backbone"]

    def prepare(batch, epoch):
        seen.index.append(batch.index.tolist())
        return loader.prepare(batch, epoch)

    def entered(_tower, inputs):
        seen.passes.append(len(inputs[0]))

    norm, forward = backbone.image.blocks[0].ln2, backbone.image.blocks[0].ln2.forward

    def counted(x):
        seen.blocks += 1
        return forward(x)

    backbone.image.register_forward_pre_hook(entered)
    norm.forward = counted
    for step in run.run(batches, prepare):
        seen.losses.append(float(step.loss))
        seen.rates.append(step.lr)
    seen.trained = {name: value.detach().clone() for name, value in run.parameters.items()}
    return seen
