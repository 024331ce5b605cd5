"""CLIP-Adapter: a bottleneck on the output feature, mixed with it (Gao et al. 2021).

    f = r A(f) + (1 - r) f        A(f) = relu(W_up relu(W_down f))

f [batch, e] is the projected feature before it is normalised, W_down [w, e], W_up [e, w] without biases, r = 0.2 fixed.
Both start as torch draws a linear. The start is no identity. The paper defines an adapter for each tower; its released
code trains the image one.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Towers, options, towers
from harness.adaptation.starts import FAN_IN, Starts
from harness.model.clip import Backbone, Shape


@options
class Method:
    width: Annotated[int, Field(ge=1)] | None = None  # of the bottleneck
    reduction: Annotated[int, Field(ge=1)] = 4  # e / width, when `width` is not given
    ratio: Annotated[float, Field(gt=0, le=1)] = 0.2  # r
    towers: Towers = "both"

    reference: ClassVar[str] = "https://arxiv.org/abs/2110.04544"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {"down.weight": FAN_IN, "up.weight": FAN_IN}

    def attach(self, backbone: Backbone) -> None:
        for tower in backbone.towers:
            if self.towers in ("both", tower.name):
                width = self.bases(backbone.shape)["width"]
                tower.head.append(Mixed(tower.position, tower.shape.embed, width, self.ratio))

    def parameters(self, shape: Shape) -> int:
        return sum(2 * tower.embed * self.bases(shape)["width"] for tower in towers(shape, self.towers))

    def bases(self, shape: Shape) -> dict[str, int]:
        """The width that `reduction` gives."""
        return {"width": self.width or max(1, shape.image.embed // self.reduction)}

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the feature."""
        return {"width": shape.image.embed}


class Mixed(nn.Module):
    """r A(f) + (1 - r) f, [batch, e] to [batch, e]."""

    def __init__(self, like: Tensor, width: int, bottleneck: int, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio
        self.down, self.up = (
            nn.Linear(*sides, bias=False, device=like.device, dtype=like.dtype)
            for sides in ((width, bottleneck), (bottleneck, width))
        )
        for linear in (self.down, self.up):
            nn.init.kaiming_uniform_(linear.weight, a=math.sqrt(5))

    def forward(self, f: Tensor) -> Tensor:
        return self.ratio * self.up(self.down(f).relu()).relu() + (1 - self.ratio) * f
