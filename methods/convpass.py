"""Convpass: convolutional bottlenecks beside attention and MLP of the image tower (Jie and Deng 2022).

    x = x + MHSA(LN1(x)) + s C(LN1(x))        C(h) = W_up act(conv3x3(act(W_down h)))
    x = x + MLP(LN2(x)) + s C(LN2(x))         W_down [w, d], conv [w, w, 3, 3], W_up [d, w], all with biases

act is QuickGELU. The convolution runs over the grid of patches; the class token is convolved alone, as a grid of one,
and so is any prompt that another method puts behind the patches. W_down starts Xavier-uniform, the convolution as the
identity (one in its centre), W_up and all biases from zero: the identity. s is searched per data set in the paper; the
released code's dropout of 0.1 before W_up is left out, as in every method here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, blocks, layers, options
from harness.adaptation.starts import XAVIER, ZERO, Sized, Starts
from harness.model.clip import Backbone, Shape
from harness.model.parts.mlp import QuickGELU


@options
class Method:
    width: Annotated[int, Field(ge=1)] = 8  # of the bottleneck
    scale: Annotated[float, Field(gt=0)] = 1.0  # s
    sites: Annotated[tuple[Literal["attn", "mlp"], ...], Field(min_length=1)] = ("attn", "mlp")
    towers: Literal["image"] = "image"  # text has no grid
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2207.07039"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(
        ("down.weight", "down.bias", "conv.weight", "conv.bias"), "W_up starts at zero"
    )
    starts: ClassVar[Starts] = {
        "down.weight": XAVIER,
        "conv.weight": Sized("one in the centre, to itself", lambda place: nn.init.dirac_(torch.empty(place.weight))),
        **dict.fromkeys(("down.bias", "conv.bias", "up.weight", "up.bias"), ZERO),
    }

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            for site in self.sites:
                inner = Bypass(tower.position, tower.shape.width, self.width, tower.shape.grid, self.scale)
                getattr(block, f"beside_{site}").append(inner)

    def parameters(self, shape: Shape) -> int:
        d, w = shape.image.width, self.width
        one = 2 * d * w + w + d + 9 * w * w + w
        return len(layers(self.depth, shape.image.layers)) * len(self.sites) * one

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the stream."""
        return {"width": shape.image.width}


def on_grid(x: Tensor, grid: tuple[int, int], convolve: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `convolve`, [n, c, rows, columns] to the same, to tokens [batch, 1 + patches + others, c].

    The patches are convolved in their grid, every other token alone.
    """
    behind = 1 + grid[0] * grid[1]
    patches = x[:, 1:behind].transpose(1, 2).unflatten(2, grid)
    patches = convolve(patches).flatten(2).transpose(1, 2)
    single = torch.cat([x[:, :1], x[:, behind:]], dim=1)
    single = convolve(single.flatten(0, 1)[..., None, None]).flatten(1).unflatten(0, single.shape[:2])
    return torch.cat([single[:, :1], patches, single[:, 1:]], dim=1)


class Bypass(nn.Module):
    """s C(h), added to a sub-layer's output."""

    def __init__(self, like: Tensor, width: int, bottleneck: int, grid: tuple[int, int], scale: float) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        self.grid, self.scale, self.act = grid, scale, QuickGELU()
        self.down, self.up = nn.Linear(width, bottleneck, **place), nn.Linear(bottleneck, width, **place)
        self.conv = nn.Conv2d(bottleneck, bottleneck, 3, padding=1, **place)
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.dirac_(self.conv.weight)
        for zero in (self.down.bias, self.conv.bias, self.up.weight, self.up.bias):
            assert zero is not None  # a convolution may have none
            nn.init.zeros_(zero)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.scale * self.up(self.act(on_grid(self.act(self.down(h)), self.grid, self.conv)))
