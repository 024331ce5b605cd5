"""VeRA: trained vectors around random matrices that all linears of a tower share (Kopiczko et al. 2024).

For a frozen W [out, in], frozen random A [r, in] and B [out, r], and trained vectors d [r] and b [out] per linear:

    y = x W^T + bias + b (B (d (A x)))

A and B are Kaiming-uniform, +-(6 / in)^(1/2) and +-(6 / r)^(1/2), drawn once per tower for its widest linear and cut
for narrower ones; d starts at 0.1 and b at zero: the identity. Because A and B follow from `seed`, they are neither
saved nor counted: r + out trained parameters per linear (43,008 for r = 256 on keys and values of ViT-B/16).
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, options, towers
from harness.adaptation.starts import ZERO, Constant, Sized, Starts, within
from harness.model.clip import Backbone, Shape
from methods.lora import Target, dense, folded, linears, plain, sides, wrap


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 256
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = ("k", "v")
    initial: Annotated[float, Field(gt=0)] = 0.1  # of d
    seed: Annotated[int, Field(ge=0)] = 0  # of A and B
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2310.11454"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("rank",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = {"d": "b starts at zero"}

    @property
    def starts(self) -> Starts:
        drawn = Sized("U(-b, b), b = sqrt(6 / fan in)", lambda place: within(math.sqrt(6 / place.fans[0])))
        return {"d": Constant(self.initial), "b": ZERO, "shared.a": drawn, "shared.b": drawn}

    def attach(self, backbone: Backbone) -> None:
        for tower in towers(backbone.shape, self.towers):
            inputs, outputs = (max(side) for side in zip(*(sides(tower, t) for t in self.targets), strict=True))
            shared = Projections(self.rank, inputs, outputs, self.seed).to(backbone.image.position)

            def build(frozen: nn.Module, shared: Projections = shared) -> nn.Module:
                return Vectors(frozen, shared, self.initial)

            wrap(backbone, tower.name, self.depth, self.targets, build)

    def parameters(self, shape: Shape) -> int:
        return sum(self.rank + outputs for _, outputs in linears(shape, self.towers, self.depth, self.targets))

    def limits(self, shape: Shape) -> dict[str, int]:
        """Ranks beyond twice the width (the paper goes to 4/3) cost more than the linear that they update."""
        return {"rank": 2 * min(tower.width for tower in towers(shape, self.towers))}


class Projections(nn.Module):
    """A [rank, in] and B [out, rank], the same for the same seed on every device."""

    a: Tensor
    b: Tensor

    def __init__(self, rank: int, inputs: int, outputs: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator("cpu").manual_seed(seed)
        for name, size in (("a", (rank, inputs)), ("b", (outputs, rank))):
            drawn = nn.init.kaiming_uniform_(torch.empty(size, device="cpu"), generator=generator)
            self.register_buffer(name, drawn, persistent=False)


class Vectors(nn.Module):
    """A frozen linear plus the update that its two trained vectors pick from the shared matrices."""

    def __init__(self, frozen: nn.Module, shared: Projections, initial: float) -> None:
        super().__init__()
        self.frozen, self.shared = frozen, shared
        weight = dense(frozen).weight
        self.d = nn.Parameter(weight.new_full((len(shared.a),), initial))
        self.b = nn.Parameter(weight.new_zeros(weight.shape[0]))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self._matrices()
        return self.frozen(x) + self.b * F.linear(self.d * F.linear(x, a), b)

    def _matrices(self) -> tuple[Tensor, Tensor]:
        outputs, inputs = dense(self.frozen).weight.shape
        return self.shared.a[:, :inputs], self.shared.b[:outputs]

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen, (a, b) = folded(self.frozen), self._matrices()
        return plain(frozen.weight + self.b[:, None] * ((b * self.d) @ a), frozen.bias)
