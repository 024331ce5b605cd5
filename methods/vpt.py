"""Visual prompt tuning: trained tokens in the sequence of a tower (Jia et al. 2022).

With l prompts P_i [l, d] at block i, the class token c, and the patches E:

    deep       [c_i, E_i, _  ] = Block_i([c_(i-1), E_(i-1), P_i])    each block replaces the prompts of the one before
    shallow    [c_i, E_i, Z_i] = Block_i([c_(i-1), E_(i-1), Z_(i-1)]),  Z_0 = P

Prompts stand behind the patches, where the paper puts them before: without a mask the order is irrelevant. They enter
behind CLIP's first LayerNorm, which the paper's ViT does not have. In the text tower, which the paper does not treat,
they stand behind the start token, without positions, so no words are cut; the causal mask lets all words see them.
With `depth`, prompts enter at the first chosen block and are replaced at the other chosen ones. Image prompts start
from U(-v, v) with v = sqrt(6 / (3 patch^2 + d)), text prompts from N(0, 0.02^2). The start is no identity.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from harness.adaptation.method import Depth, Towers, layers, options, towers
from harness.adaptation.starts import Normal, Sized, Starts, within
from harness.model.clip import Backbone, Shape, Tower, TowerShape
from methods._tokens import Own, Prompts


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 10  # prompts per block
    deep: bool = True
    towers: Towers = "image"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2203.12119"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length",)
    adds: ClassVar[bool] = True

    starts: ClassVar[Starts] = {
        "tokens": Sized(
            "images U(-b, b), b = sqrt(6 / (3 patch^2 + d)); texts N(0, 0.02^2)",
            lambda place: within(bound(place.tower)) if place.tower.patch else Normal(0.02),
        )
    }

    @property
    def inserts(self) -> tuple[str, ...]:
        """Towers whose sequence it changes."""
        return ("image", "text") if self.towers == "both" else (self.towers,)

    def attach(self, backbone: Backbone) -> None:
        for tower in backbone.towers:
            if tower.name in self.inserts:
                for index in self._blocks(len(tower.blocks)):
                    tower.block(index).tokens.append(Prompts([self._start(tower)], tower.causal))
                replace_each(tower)

    def parameters(self, shape: Shape) -> int:
        return sum(len(self._blocks(tower.layers)) * self.length * tower.width for tower in towers(shape, self.towers))

    def limits(self, shape: Shape) -> dict[str, int]:
        """No more prompts than there are tokens in the shorter sequence."""
        return {"length": min(tower.tokens for tower in towers(shape, self.towers))}

    def _blocks(self, count: int) -> list[int]:
        chosen = sorted(set(layers(self.depth, count)))
        return chosen if self.deep else chosen[:1]

    def _start(self, tower: Tower) -> Own:
        own = Own(tower.position, self.length, tower.shape.width)
        if tower.shape.patch:
            nn.init.uniform_(own.tokens, -bound(tower.shape), bound(tower.shape))
        return own


def replace_each(tower: Tower) -> None:
    """Let each block's prompts take the place of those of the block before, however many these are."""
    before = 0
    for index in range(len(tower.blocks)):
        for prompts in tower.block(index).tokens:
            if isinstance(prompts, Prompts):
                prompts.replaced, before = before, sum(len(part()) for part in prompts.parts)


def bound(tower: TowerShape) -> float:
    """v of the image prompts."""
    return math.sqrt(6 / (3 * (tower.patch or 0) ** 2 + tower.width))
