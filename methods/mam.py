"""MAM adapter: a prefix in attention and a scaled adapter parallel to the MLP (He et al. 2022, section 4.6).

    softmax(q [P_k; K]^T / sqrt(d_head)) [P_v; V]        P_k, P_v [l, d]
    x + MLP(h) + s A(h)                                  h = LN2(x)

The paper's sizes for summarisation are the defaults: l = 30, bottleneck 512 in the wider tower, s = 4. The prefix is
trained directly, not through the paper's MLP; see `methods/prefix.py` and `methods/adapter.py` for initialisation. The
start is no identity, because of the prefix. A budget scales length and width in proportion.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.adaptation.method import Depth, Towers, options
from harness.model.clip import Backbone, Shape
from methods import adapter, prefix


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 30  # l
    width: Annotated[int, Field(ge=1)] = 512  # of the bottleneck in the wider tower
    scale: Annotated[float, Field(gt=0)] = 4.0  # s
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2110.04366"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length", "width")
    adds: ClassVar[bool] = True

    @cached_property
    def members(self) -> tuple[prefix.Method, adapter.Method]:
        """The two methods it unites."""
        place: dict[str, Any] = {"towers": self.towers, "depth": self.depth}
        return (
            prefix.Method(length=self.length, **place),
            adapter.Method(width=self.width, form="parallel", sites=("mlp",), scale=self.scale, **place),
        )

    def attach(self, backbone: Backbone) -> None:
        for member in self.members:
            member.attach(backbone)

    def parameters(self, shape: Shape) -> int:
        return sum(member.parameters(shape) for member in self.members)

    def limits(self, shape: Shape) -> dict[str, int]:
        return self.members[1].limits(shape)
