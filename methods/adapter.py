"""Adapter: a bottleneck beside or behind a sub-layer (Houlsby et al. 2019; parallel form He et al. 2022).

    A(h) = W_up relu(W_down h + b_down) + b_up        W_down [w, d], W_up [d, w]

`sequential` puts h + A(h) behind each chosen sub-layer, before the residual sum; `parallel` adds s A(h), h being the
input of the sub-layer after its LayerNorm. W_down starts Kaiming-uniform, everything else from zero: the identity.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, scaled_width, towers
from harness.adaptation.starts import FAN_IN, ZERO, Starts
from harness.model.clip import Backbone, Shape
from harness.model.parts.mlp import scaled_linear

# of a `Bottleneck` called `inner`, in the methods that have one
BOTTLENECK: Starts = {
    "inner.down.weight": FAN_IN,
    **dict.fromkeys(("inner.down.bias", "inner.up.weight", "inner.up.bias"), ZERO),
}


@options
class Method:
    width: Annotated[int, Field(ge=1)] = 64  # of the bottleneck in the wider tower, in proportion in the other
    form: Literal["sequential", "parallel"] = "sequential"
    sites: Annotated[tuple[Literal["attn", "mlp"], ...], Field(min_length=1)] = ("attn", "mlp")
    scale: Annotated[float, Field(gt=0)] = 1.0  # of the parallel form
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/1902.00751"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(("down.weight", "down.bias"), "W_up starts at zero")
    starts: ClassVar[Starts] = BOTTLENECK

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            width = scaled_width(self.width, tower.shape, backbone.shape)
            for site in self.sites:
                inner = Bottleneck(tower.position, tower.shape.width, width)
                if self.form == "sequential":
                    getattr(block, f"after_{site}").append(Behind(inner))
                else:
                    getattr(block, f"beside_{site}").append(Beside(inner, self.scale))

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, t.layers)) * len(self.sites) * count(t.width, scaled_width(self.width, t, shape))
            for t in towers(shape, self.towers)
        )

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the stream."""
        return {"width": max(tower.width for tower in towers(shape, self.towers))}


def count(width: int, bottleneck: int) -> int:
    """Parameters of one `Bottleneck`."""
    return 2 * width * bottleneck + bottleneck + width


class Bottleneck(nn.Module):
    """s up(relu(down(x))), [.., d] to [.., d], s = 1 unless given; on the device and in the type of `like`."""

    def __init__(self, like: Tensor, width: int, bottleneck: int) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        self.down, self.up = nn.Linear(width, bottleneck, **place), nn.Linear(bottleneck, width, **place)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor, scale: Tensor | float | None = None) -> Tensor:
        hidden = self.down(x).relu()
        return self.up(hidden) if scale is None else scaled_linear(hidden, self.up, scale)


class Behind(nn.Module):
    """h + A(h) on a sub-layer's output."""

    def __init__(self, inner: Bottleneck) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, out: Tensor) -> Tensor:
        return out + self.inner(out)


class Beside(nn.Module):
    """s A(h), added to a sub-layer's output."""

    def __init__(self, inner: Bottleneck, scale: float) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.inner(h, self.scale)
