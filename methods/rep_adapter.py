"""RepAdapter: sparse linear adapters that vanish into the linears behind them (Luo et al. 2023, section 3).

    f(h) = h + s (U (D h + b_down) + b_up)        D [w, d], U [d, w] block-diagonal in g groups

One f stands before attention (its q, k and v share it) and one before the MLP, with the same w in both towers. Each
linear W h + b behind it becomes W f(h) + b by wrapping, so that it can be merged one by one, exactly:

    W' = W + s W U D        b' = b + s W (U b_down + b_up)

D starts Xavier-uniform, U and both biases from zero: the identity. The released code's dropout of 0.1 between D and U
is left out, as in every method here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.adaptation.starts import XAVIER, ZERO, Starts
from harness.errors import UserError
from harness.model.clip import Backbone, Shape
from methods.lora import folded

LINEARS = {"attn": ("q", "k", "v"), "mlp": ("fc1",)}


@options
class Method:
    width: Annotated[int, Field(ge=1)] = 8  # of the bottleneck, in each tower; a multiple of `groups`
    groups: Annotated[int, Field(ge=1)] = 2
    scale: Annotated[float, Field(gt=0)] = 1.0  # s, searched per data set in the paper
    sites: Annotated[tuple[Literal["attn", "mlp"], ...], Field(min_length=1)] = ("attn", "mlp")
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2302.08106"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(("adapter.down.weight", "adapter.down.bias"), "U starts at zero")
    starts: ClassVar[Starts] = {"down.weight": XAVIER, **dict.fromkeys(("down.bias", "up", "up_bias"), ZERO)}

    def __post_init__(self) -> None:
        if self.width % self.groups:
            raise UserError(f"width {self.width} is no multiple of {self.groups} groups", "rep_adapter.width")

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            for site in self.sites:
                part = getattr(block, site)
                adapter = Sparse(tower.position, tower.shape.width, self.width, self.groups, self.scale)
                for name in LINEARS[site]:
                    setattr(part, name, Before(getattr(part, name), adapter))

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, t.layers))
            * len(self.sites)
            * (t.width * self.width + self.width + t.width * self.width // self.groups + t.width)
            for t in towers(shape, self.towers)
        )

    def resized(self, shape: Shape, factor: float) -> Method:
        """The width scaled to a multiple of the groups."""
        steps = min(round(self.width * factor / self.groups), self.limits(shape)["width"] // self.groups)
        return replace(self, width=self.groups * max(1, steps))

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the narrower stream."""
        narrow = min(tower.width for tower in towers(shape, self.towers))
        return {"width": narrow - narrow % self.groups}


class Sparse(nn.Module):
    """f, [.., d] to [.., d]; on the device and in the type of `like`."""

    def __init__(self, like: Tensor, width: int, bottleneck: int, groups: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.down = nn.Linear(width, bottleneck, device=like.device, dtype=like.dtype)
        self.up = nn.Parameter(like.new_zeros(groups, width // groups, bottleneck // groups))
        self.up_bias = nn.Parameter(like.new_zeros(width))
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, h: Tensor) -> Tensor:
        z = self.down(h).unflatten(-1, (self.up.shape[0], -1))
        change = torch.einsum("...gi,goi->...go", z, self.up).flatten(-2) + self.up_bias
        return h + self.scale * change


class Before(nn.Module):
    """A frozen linear of f(h)."""

    def __init__(self, frozen: nn.Module, adapter: Sparse) -> None:
        super().__init__()
        self.frozen, self.adapter = frozen, adapter

    def forward(self, h: Tensor) -> Tensor:
        """h [batch, tokens, d] to [batch, tokens, out]."""
        return self.frozen(self.adapter(h))

    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen, adapter = folded(self.frozen), self.adapter
        weight = frozen.weight
        plain = nn.Linear(frozen.in_features, frozen.out_features, device=weight.device, dtype=weight.dtype)
        with torch.no_grad():
            change = adapter.scale * weight.double() @ torch.block_diag(*adapter.up).double()
            plain.weight.copy_(weight + change @ adapter.down.weight.double())
            shift = change @ adapter.down.bias.double() + adapter.scale * weight.double() @ adapter.up_bias.double()
            plain.bias.copy_(frozen.bias + shift)
        return plain.requires_grad_(False)
