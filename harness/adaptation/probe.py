"""A small backbone on which methods are tried: every weight is random, so nothing hides behind a 0 or a 1.

It works in float64 unless told otherwise, where rounding is far below every real effect.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.adaptation.method import Method, extra_loss, make, trainable
from harness.errors import UserError
from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.weights import Source, random, shape

SMALL = Shape(
    TowerShape("image", 128, 2, 2, 512, 9, 64, (4, 2), 16),
    TowerShape("text", 64, 2, 1, 256, 24, 64, vocabulary=80),
    quick_gelu=True,
)
BASE, LARGE = Source("ViT-B-16", image=(384, 128)), Source("ViT-L-14", image=(378, 126))
SILENT = 1e-12  # of the largest gradient: rounding

sizes_of = functools.cache(shape)


class Broken(UserError):
    """A promise that is not kept; one line for the method's author."""


@dataclass(frozen=True)
class Case:
    """A method with the options it is examined with."""

    name: str
    module: ModuleType
    options: dict[str, Any] = field(default_factory=dict)

    def make(self, **more: Any) -> Method:
        return make(self.module, {**self.options, **more})

    def small(self, **more: Any) -> Method:
        """The method for the small backbone: a `depth` beyond its blocks is all of them."""
        method = self.make(**more)
        depth = getattr(method, "depth", None)
        deep = isinstance(depth, int) and abs(depth) > SMALL.image.layers
        return self.make(**more, depth=None) if deep else method


def small(dtype: torch.dtype = torch.float64) -> Backbone:
    """The small backbone alone, frozen."""
    return disturb(random(SMALL), seed=1).to(dtype)


def attached(method: Method, seed: int = 0, dtype: torch.dtype = torch.float64) -> Backbone:
    """The small backbone with the method attached under a seed."""
    backbone = small(dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attach(backbone)
    return backbone.eval()


def on_meta(method: Method, sizes: Shape) -> Backbone:
    """A backbone of any size with the method attached, without memory for its weights."""
    with torch.device("meta"):
        backbone = Backbone(sizes).requires_grad_(False)
    method.attach(backbone)
    return backbone


@torch.no_grad()
def disturb(backbone: Backbone, seed: int = 2) -> Backbone:
    """Noise on the trained parameters, or on all of them where none is trained."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in (trainable(backbone) or dict(backbone.named_parameters())).values():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator).to(parameter))
    return backbone


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Images [4, 3, 64, 32] and captions of different lengths [4, 24]."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(1, 77, (4, 24), generator=generator)
    ids[:, 0] = 78
    for row, end in zip(ids, (23, 9, 4, 15), strict=True):
        row[end], row[end + 1 :] = 79, 0
    return torch.randn(4, 3, 64, 32, generator=generator).to(dtype), ids


@torch.no_grad()
def outputs(backbone: Backbone) -> dict[str, Tensor]:
    """Features [4, embed] by tower."""
    images, ids = inputs(backbone.image.position.dtype)
    return {"image": backbone.image(images), "text": backbone.text(ids)}


def gradients(backbone: Backbone, autocast: bool = False) -> dict[str, Tensor]:
    """Gradients of a contrastive loss; zeros where there is none."""
    backbone.zero_grad()
    images, ids = inputs(backbone.image.position.dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        image, text = backbone.image(images), backbone.text(ids)
    extra = extra_loss(backbone)
    (_contrast(image.to(images.dtype), text.to(images.dtype)) + (0.0 if extra is None else extra)).backward()
    return {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in trainable(backbone).items()}


def _contrast(image: Tensor, text: Tensor) -> Tensor:
    """InfoNCE at temperature 0.1; here, since losses are built on methods and not the reverse."""
    logits = F.normalize(image) @ F.normalize(text).T / 0.1
    own = torch.arange(len(logits))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Largest difference relative to the largest value."""
    return max(float((first[n] - second[n]).abs().max() / first[n].abs().max()) for n in first)


def silent(backbone: Backbone) -> set[str]:
    """Trained parameters without a gradient."""
    found = gradients(backbone)
    largest = max(float(g.abs().max()) for g in found.values())
    expect(largest > 0, "no trained parameter has a gradient")
    return {n for n, g in found.items() if float(g.abs().max()) <= SILENT * largest}


def expect(kept: bool, what: str) -> None:
    if not kept:
        raise Broken(what)


def short(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
