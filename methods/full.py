"""Full fine-tuning: every weight of the chosen towers is trained."""

from __future__ import annotations

import functools
from typing import ClassVar

import torch

from harness.adaptation.method import Towers, options
from harness.model.clip import Backbone, Shape


@options
class Method:
    towers: Towers = "both"

    reference: ClassVar[str] = "https://arxiv.org/abs/2103.00020"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = False
    inert: ClassVar[dict[str, str]] = {"attn.k.bias": "the softmax ignores a bias on all keys"}

    def attach(self, backbone: Backbone) -> None:
        for tower in backbone.towers:
            tower.requires_grad_(self.towers in ("both", tower.name))

    def parameters(self, shape: Shape) -> int:
        return _count(shape, self.towers)


@functools.cache
def _count(shape: Shape, which: Towers) -> int:
    # Making towers of many blocks takes a tenth of a second, even without memory.
    with torch.device("meta"):
        towers = Backbone(shape).towers
    return sum(p.numel() for t in towers if which in ("both", t.name) for p in t.parameters())
