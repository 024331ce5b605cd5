"""UP-Person: S-Prefix, LoRA on keys and values, and an L-Adapter at each LayerNorm, together (arXiv 2504.10084).

The settings of the paper for CUHK-PEDES are the defaults: rank 32, length 10, bottleneck d / 8, S_p from 10; ICFG-PEDES
uses length 14, RSTPReid rank 16 and length 2. LoRA has one trained scalar per matrix instead of alpha / r. The start is
no identity, because of the prefix. A budget scales rank, length and width in proportion.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.adaptation.method import Depth, Towers, options
from harness.model.clip import Backbone, Shape
from methods import l_adapter, lora, s_prefix


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 32
    length: Annotated[int, Field(ge=1)] = 10
    width: Annotated[int, Field(ge=1)] | None = None  # of the bottleneck in the wider tower
    reduction: Annotated[int, Field(ge=1)] = 8  # d / width in both towers, when `width` is not given
    scale: Annotated[float, Field(gt=0)] = 10.0  # S_p at the start
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2504.10084"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("rank", "length", "width")
    adds: ClassVar[bool] = True

    @cached_property
    def members(self) -> tuple[s_prefix.Method, lora.Method, l_adapter.Method]:
        """The three methods it unites."""
        place: dict[str, Any] = {"towers": self.towers, "depth": self.depth}
        return (
            s_prefix.Method(length=self.length, scale=self.scale, **place),
            lora.Method(rank=self.rank, targets=("k", "v"), scaling="learned", **place),
            l_adapter.Method(width=self.width, reduction=self.reduction, **place),
        )

    def attach(self, backbone: Backbone) -> None:
        for member in self.members:
            member.attach(backbone)

    def parameters(self, shape: Shape) -> int:
        return sum(member.parameters(shape) for member in self.members)

    def bases(self, shape: Shape) -> dict[str, int]:
        return {**self.members[2].bases(shape)}

    def limits(self, shape: Shape) -> dict[str, int]:
        return {**self.members[1].limits(shape), **self.members[2].limits(shape)}
