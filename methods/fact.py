"""FacT: updates of all linears of a tower as one factorised tensor (Jie and Deng 2023).

With U [r, d] and V [d, r] shared by a tower and a core Sigma_i [r, r] for each d x d part of a weight (a linear of the
MLP has mlp / d of them):

    y = f(x) + s V Sigma_i U x

`tt` (tensor train) trains every Sigma_i; `tk` (Tucker) trains Sigma_i = sum_k P_ik C_k with C [r, r, r] shared and P_i
[r]. V starts at zero: the identity. U and Sigma start like a linear of torch, C and P Xavier-uniform, as in the
released code. Per tower 2 d r trained parameters and, with n parts in all, n r^2 (tt) or r^3 + n r (tk).
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, layers, options, towers
from harness.adaptation.starts import FAN_IN, XAVIER, ZERO, Law, Place, Sized, Starts, within
from harness.errors import UserError
from harness.model.clip import Backbone, Shape, TowerShape
from methods.lora import Target, dense, folded, plain, sides, wrap


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 16
    form: Literal["tt", "tk"] = "tt"
    scale: Annotated[float, Field(gt=0)] = 1.0  # s
    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = ("q", "k", "v", "out", "fc1", "fc2")
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2212.03145"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("rank",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(("factors.u", "factors.c", "sigma", "p"), "V starts at zero")

    @property
    def starts(self) -> Starts:
        def sigma(place: Place) -> Law:
            return within((place.frozen.shape[1] // place.tower.width * self.rank) ** -0.5)

        def p(place: Place) -> Law:
            return within(math.sqrt(6 / (self._parts(place.tower) + self.rank)))

        return {
            **{"factors.u": FAN_IN, "factors.v": ZERO, "factors.c": XAVIER},
            "sigma": Sized("U(-b, b), b = 1 / sqrt(r in / d)", sigma),
            "p": Sized("U(-b, b), b = sqrt(6 / (parts + r))", p),
        }

    def attach(self, backbone: Backbone) -> None:
        for tower in towers(backbone.shape, self.towers):
            like = (backbone.image if tower.name == "image" else backbone.text).position
            factors = Factors(like, tower.width, self.rank, self._parts(tower), self.form)

            def build(frozen: nn.Module, factors: Factors = factors) -> nn.Module:
                return Factorised(frozen, factors, self.scale)

            wrap(backbone, tower.name, self.depth, self.targets, build)

    def parameters(self, shape: Shape) -> int:
        return sum(2 * t.width * self.rank + self._cores(self._parts(t)) for t in towers(shape, self.towers))

    def limits(self, shape: Shape) -> dict[str, int]:
        """A rank is at most the width of the stream."""
        return {"rank": min(tower.width for tower in towers(shape, self.towers))}

    def _cores(self, parts: int) -> int:
        return parts * self.rank**2 if self.form == "tt" else self.rank**3 + parts * self.rank

    def _parts(self, tower: TowerShape) -> int:
        """Square parts of the chosen weights of a tower."""
        if tower.mlp % tower.width and {"fc1", "fc2"} & set(self.targets):
            raise UserError(
                f"fact cuts the MLP ({tower.mlp} units) into squares of the width {tower.width}",
                "fact.targets",
                "targets among q, k, v, out for this backbone",
            )
        count = sum(math.prod(sides(tower, target)) // tower.width**2 for target in self.targets)
        return count * len(layers(self.depth, tower.layers))


class Factors(nn.Module):
    """U, V and, for Tucker's form, C of one tower."""

    def __init__(self, like: Tensor, width: int, rank: int, parts: int, form: str) -> None:
        super().__init__()
        self.parts = parts
        self.u, self.v = nn.Parameter(like.new_empty(rank, width)), nn.Parameter(like.new_zeros(width, rank))
        nn.init.kaiming_uniform_(self.u, a=math.sqrt(5))
        self.c = nn.Parameter(nn.init.xavier_uniform_(like.new_empty(rank, rank, rank))) if form == "tk" else None


class Factorised(nn.Module):
    """A frozen linear plus s V Sigma U on each square part of its weight; Sigma [parts, r, r]."""

    def __init__(self, frozen: nn.Module, factors: Factors, scale: float) -> None:
        super().__init__()
        self.frozen, self.factors, self.scale = frozen, factors, scale
        rank, width = factors.u.shape
        self.outs, self.ins = (side // width for side in dense(frozen).weight.shape)
        parts = self.outs * self.ins
        if factors.c is None:
            bound = (self.ins * rank) ** -0.5
            self.sigma = nn.Parameter(factors.u.new_empty(parts, rank, rank).uniform_(-bound, bound))
        else:
            bound = math.sqrt(6 / (factors.parts + rank))
            self.p = nn.Parameter(factors.u.new_empty(parts, rank).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + self.low(x)

    def low(self, x: Tensor) -> Tensor:
        """The update alone, [.., ins d] to [.., outs d]."""
        cores = self.sigma if self.factors.c is None else torch.einsum("pk,kij->pij", self.p, self.factors.c)
        rank = len(self.factors.u)
        joint = cores.unflatten(0, (self.outs, self.ins)).transpose(1, 2).reshape(self.outs * rank, self.ins * rank)
        low = F.linear(x.unflatten(-1, (self.ins, -1)), self.factors.u).flatten(-2)
        return self.scale * F.linear(F.linear(low, joint).unflatten(-1, (self.outs, rank)), self.factors.v).flatten(-2)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen = folded(self.frozen)
        eye = torch.eye(frozen.in_features, device=frozen.weight.device, dtype=frozen.weight.dtype)
        return plain(frozen.weight + self.low(eye).T, frozen.bias)
