"""Mona: multi-scale depthwise convolutions with a scaled LayerNorm, in the image tower (Yin et al. 2025).

Behind each sub-layer's residual sum, on the stream x:

    x = x + W_up gelu(M(W_down (g1 * LN(x) + g2 * x)))        W_down [w, d], W_up [d, w], g1 and g2 [d]
    M(z) = y + P y,    y = z + (conv3x3(z) + conv5x5(z) + conv7x7(z)) / 3

The three convolutions are depthwise with biases, P is a 1x1 convolution. They run over the grid of patches; the paper's
Swin has no class token, here it is convolved alone, as a grid of one. g1 starts from 1e-6, g2 from 1; W_down and W_up
from N(0, 0.02^2) with zero biases and the convolutions as torch draws them, as in the released code: near the identity,
but not the identity. Its dropout of 0.1 before W_up is left out, as in every method here.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, blocks, layers, options
from harness.adaptation.starts import FAN_IN, ONE, ZERO, Constant, Normal, Starts
from harness.model.clip import Backbone, Shape
from methods.convpass import on_grid

KERNELS = (3, 5, 7)


@options
class Method:
    width: Annotated[int, Field(ge=1)] = 64  # of the bottleneck
    sites: Annotated[tuple[Literal["attn", "mlp"], ...], Field(min_length=1)] = ("attn", "mlp")
    towers: Literal["image"] = "image"  # text has no grid
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2408.08345"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {
        **{"normed": Constant(1e-6), "plain": ONE, "norm.weight": ONE, "norm.bias": ZERO},
        **{"down.weight": Normal(0.02), "up.weight": Normal(0.02), "down.bias": ZERO, "up.bias": ZERO},
        **{f"{conv}.{part}": FAN_IN for conv in ("mix", "0", "1", "2") for part in ("weight", "bias")},
    }

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            for site in self.sites:
                inner = Mona(tower.position, tower.shape.width, self.width, tower.shape.grid)
                getattr(block, f"past_{site}").append(inner)

    def parameters(self, shape: Shape) -> int:
        d, w = shape.image.width, self.width
        convolutions = sum(w * kernel**2 + w for kernel in KERNELS) + w * w + w
        one = 2 * d * w + w + d + convolutions + 4 * d
        return len(layers(self.depth, shape.image.layers)) * len(self.sites) * one

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the stream."""
        return {"width": shape.image.width}


class Mona(nn.Module):
    """The change of the stream [batch, tokens, d] behind a sub-layer."""

    def __init__(self, like: Tensor, width: int, bottleneck: int, grid: tuple[int, int]) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        self.grid = grid
        self.norm = nn.LayerNorm(width, **place)
        self.normed, self.plain = nn.Parameter(like.new_full((width,), 1e-6)), nn.Parameter(like.new_ones(width))
        self.down, self.up = nn.Linear(width, bottleneck, **place), nn.Linear(bottleneck, width, **place)
        self.depthwise = nn.ModuleList(
            nn.Conv2d(bottleneck, bottleneck, kernel, padding=kernel // 2, groups=bottleneck, **place)
            for kernel in KERNELS
        )
        self.mix = nn.Conv2d(bottleneck, bottleneck, 1, **place)
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def convolve(self, z: Tensor) -> Tensor:
        """M, [n, w, rows, columns] to the same."""
        y = z + sum(conv(z) for conv in self.depthwise) / len(KERNELS)
        return y + self.mix(y)

    def forward(self, x: Tensor) -> Tensor:
        z = self.down(self.norm(x) * self.normed + x * self.plain)
        return x + self.up(F.gelu(on_grid(z, self.grid, self.convolve)))
