"""PiSSA: LoRA that starts from the principal part of the weight and freezes the rest (Meng et al. 2024).

With the singular values and vectors W = U S V^T of a frozen W [out, in], the r largest first:

    A = S_r^(1/2) V_r^T  [r, in]        B = U_r S_r^(1/2)  [out, r]        W_rest = W - B A
    y = x W_rest^T + b + (x A^T) B^T

The start is the identity up to rounding. `attach` replaces the frozen weight by W_rest; it is computed from W again
when a saved method is restored, so only A and B are saved.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, options
from harness.adaptation.starts import Sized, Starts
from harness.model.clip import Backbone, Shape
from methods.lora import LowRank, Target, dense, linears, wrap


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 4
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = ("q", "v")
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2404.02948"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("rank",)
    adds: ClassVar[bool] = True

    @property
    def starts(self) -> Starts:
        return {
            "a": Sized("S_r^(1/2) V_r^T of W", lambda place: principal(place.frozen, self.rank)[0]),
            "b": Sized("U_r S_r^(1/2) of W", lambda place: principal(place.frozen, self.rank)[1]),
        }

    def attach(self, backbone: Backbone) -> None:
        wrap(backbone, self.towers, self.depth, self.targets, lambda frozen: Principal(frozen, self.rank))

    def parameters(self, shape: Shape) -> int:
        return self.rank * sum(map(sum, linears(shape, self.towers, self.depth, self.targets)))

    def limits(self, shape: Shape) -> dict[str, int]:
        """There are as many singular values as the narrowest side of a target has units."""
        return {"rank": min(min(both) for both in linears(shape, self.towers, self.depth, self.targets))}


def principal(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """A [rank, in] and B [out, rank] of a weight [out, in]."""
    left, values, right = torch.linalg.svd(weight.float(), full_matrices=False)
    root = values[:rank].sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root


class Principal(LowRank):
    """A frozen linear cut to its minor part, and its trained principal part."""

    @torch.no_grad()
    def __init__(self, frozen: nn.Module, rank: int) -> None:
        super().__init__(frozen, rank, 1.0)
        linear = dense(frozen)
        for part, start in zip((self.a, self.b), principal(linear.weight, rank), strict=True):
            part.copy_(start)
        linear.weight = nn.Parameter(linear.weight - self.b @ self.a, requires_grad=False)
