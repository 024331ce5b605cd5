"""LoRA: low-rank updates of frozen linears (Hu et al. 2022).

For a frozen W [out, in] and an input x [batch, tokens, in]:

    y = x W^T + b + s (x A^T) B^T        A [r, in], B [out, r]

A starts from U(-1/sqrt(in), 1/sqrt(in)) (Kaiming uniform with a = sqrt 5), B from zero: the identity. The factored form
needs no dense gradient of W. `scaling` sets s: `alpha` is alpha / r (section 4.1 of the paper), `rslora` is alpha /
sqrt r (Kalajdzievski 2023), `learned` is one trained scalar per linear that starts at 1 (UP-Person's code).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.adaptation.starts import FAN_IN, ONE, ZERO, Starts
from harness.model.clip import Backbone, Shape, TowerShape

Target = Literal["q", "k", "v", "out", "fc1", "fc2"]


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 4
    alpha: Annotated[float, Field(gt=0)] = 8.0
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = ("q", "v")
    scaling: Literal["alpha", "rslora", "learned"] = "alpha"
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2106.09685"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("rank",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = {"a": "B starts at zero", "scale": "B starts at zero"}
    starts: ClassVar[Starts] = {"a": FAN_IN, "b": ZERO, "scale": ONE}

    def attach(self, backbone: Backbone) -> None:
        wrap(backbone, self.towers, self.depth, self.targets, lambda frozen: LowRank(frozen, self.rank, self._scale()))

    def parameters(self, shape: Shape) -> int:
        scalars = 1 if self.scaling == "learned" else 0
        return sum(
            self.rank * (inputs + outputs) + scalars
            for inputs, outputs in linears(shape, self.towers, self.depth, self.targets)
        )

    def limits(self, shape: Shape) -> dict[str, int]:
        """A rank is at most the narrowest side of a target."""
        return {"rank": min(min(both) for both in linears(shape, self.towers, self.depth, self.targets))}

    def alike(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """The `alpha` with which a block of another rank has the s of the others."""
        power = {"alpha": 1.0, "rslora": 0.5, "learned": 0.0}[self.scaling]
        return {"alpha": self.alpha * (sizes["rank"] / self.rank) ** power}

    def _scale(self) -> float | None:
        return {"alpha": self.alpha / self.rank, "rslora": self.alpha / math.sqrt(self.rank), "learned": None}[
            self.scaling
        ]


class LowRank(nn.Module):
    """A frozen linear plus a scaled low-rank update; `scale` None makes it a trained scalar.

    With `dense_delta` the update is a matrix, rounded to the precision of the frozen weight and added to it.
    """

    HALF: ClassVar[tuple[str, ...]] = ("scale",)
    dense_delta = False

    def __init__(self, frozen: nn.Module, rank: int, scale: float | None) -> None:
        super().__init__()
        self.frozen = frozen
        weight = dense(frozen).weight
        self.a = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.b = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        self.scale = nn.Parameter(weight.new_ones(())) if scale is None else scale
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """x [batch, tokens, in] to [batch, tokens, out]."""
        if self.dense_delta:
            frozen = dense(self.frozen)
            return F.linear(x, frozen.weight + self.delta().to(frozen.weight.dtype), frozen.bias)
        return self.frozen(x) + self.low(x)

    def low(self, x: Tensor) -> Tensor:
        """The update alone."""
        return F.linear(self.scale * F.linear(x, self.a), self.b)

    def delta(self) -> Tensor:
        """What is added to the frozen weight [out, in]."""
        return self.scale * (self.b @ self.a)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen = folded(self.frozen)
        return plain(frozen.weight + self.delta().to(frozen.weight.dtype), frozen.bias)


# Linears that methods wrap ------------------------------------------------------------------------------------------


class Wrapper(Protocol):
    """A module in the place of a linear."""

    frozen: nn.Module

    def merged(self) -> nn.Linear: ...


def wrap(
    backbone: Backbone,
    which: Towers,
    depth: Depth,
    targets: tuple[Target, ...],
    build: Callable[[nn.Module], nn.Module],
) -> None:
    """Put `build(linear)` in the place of every chosen linear, which another method may have wrapped before."""
    for _, block in blocks(backbone, which, depth):
        for target in targets:
            part = block.mlp if target.startswith("fc") else block.attn
            setattr(part, target, build(getattr(part, target)))


def linears(shape: Shape, which: Towers, depth: Depth, targets: tuple[Target, ...]) -> Iterator[tuple[int, int]]:
    """(in, out) of every chosen linear."""
    for tower in towers(shape, which):
        for _ in layers(depth, tower.layers):
            yield from (sides(tower, target) for target in targets)


def sides(tower: TowerShape, target: Target) -> tuple[int, int]:
    """(in, out) of a linear."""
    return {"fc1": (tower.width, tower.mlp), "fc2": (tower.mlp, tower.width)}.get(target, (tower.width, tower.width))


def dense(module: nn.Module) -> nn.Linear:
    """The linear at the core of wrapped modules."""
    while not isinstance(module, nn.Linear):
        module = cast(Wrapper, module).frozen
    return module


def folded(module: nn.Module) -> nn.Linear:
    """A linear with the outputs of wrapped ones: the linear itself when nothing wraps it."""
    return module if isinstance(module, nn.Linear) else cast(Wrapper, module).merged()


def plain(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A frozen linear that holds these tensors."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = (nn.Parameter(part.detach(), requires_grad=False) for part in (weight, bias))
    return linear
