"""(IA)3: keys, values and the MLP's hidden units rescaled by trained vectors (Liu et al. 2022).

    K' = l_k K        V' = l_v V        MLP(h) = fc2(l_ff activation(fc1(h)))        (section 3.3)

l_k, l_v [d] and l_ff [mlp] belong to one block and start at one: the identity. As in the paper, K and V are scaled with
their biases. Fixed size: 92,160 trained parameters on ViT-B/16.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, options
from harness.adaptation.starts import ONE, Starts
from harness.model.clip import Backbone, Shape
from methods.lora import dense, folded, linears, plain, wrap


@options
class Method:
    sites: Annotated[tuple[Literal["k", "v", "mlp"], ...], Field(min_length=1)] = ("k", "v", "mlp")
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2205.05638"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {"scale": ONE}

    def attach(self, backbone: Backbone) -> None:
        place = (backbone, self.towers, self.depth)
        wrap(*place, tuple(site for site in self.sites if site != "mlp"), ScaledOutput)
        wrap(*place, ("fc2",) if "mlp" in self.sites else (), ScaledInput)

    def parameters(self, shape: Shape) -> int:
        place = (shape, self.towers, self.depth)
        outputs = sum(out for _, out in linears(*place, tuple(site for site in self.sites if site != "mlp")))
        return outputs + sum(hidden for hidden, _ in linears(*place, ("fc2",) if "mlp" in self.sites else ()))


class ScaledOutput(nn.Module):
    """l f(x) for a frozen linear f and trained l [out]."""

    def __init__(self, frozen: nn.Module) -> None:
        super().__init__()
        self.frozen = frozen
        self.scale = nn.Parameter(torch.ones_like(dense(frozen).weight[:, 0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.frozen(x)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen = folded(self.frozen)
        return plain(self.scale[:, None] * frozen.weight, self.scale * frozen.bias)


class ScaledInput(nn.Module):
    """f(l x) for a frozen linear f and trained l [in]."""

    def __init__(self, frozen: nn.Module) -> None:
        super().__init__()
        self.frozen = frozen
        self.scale = nn.Parameter(torch.ones_like(dense(frozen).weight[0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(self.scale * x)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain linear with the same outputs."""
        frozen = folded(self.frozen)
        return plain(frozen.weight * self.scale, frozen.bias)
