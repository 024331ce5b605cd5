"""SSF: a trained scale and shift after every operation of a block (Lian et al. 2022).

    y = gamma f(x) + beta        f: LN1, q, k, v, out, LN2, fc1, fc2;  gamma, beta [outputs of f]

gamma starts from N(1, 0.02^2) and beta from N(0, 0.02^2) as in the released code, so the start is no identity; with
`std` 0 it is one. All of it folds into the linears and LayerNorms. The patch embedding and the LayerNorms outside the
blocks are left alone, which gives 44 d per block and 337,920 on ViT-B/16.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.adaptation.starts import Normal, Starts
from harness.model.clip import Backbone, Shape
from methods.lora import Wrapper, folded, plain


@options
class Method:
    std: Annotated[float, Field(ge=0)] = 0.02  # of scale and shift at the start
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2210.08823"
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = True
    inert: ClassVar[dict[str, str]] = {"k.shift": "the softmax ignores what is added to all keys"}

    @property
    def identity(self) -> bool:
        return self.std == 0

    @property
    def starts(self) -> Starts:
        return {"scale": Normal(self.std, 1.0), "shift": Normal(self.std)}

    def attach(self, backbone: Backbone) -> None:
        for _, block in blocks(backbone, self.towers, self.depth):
            for part, names in ((block, "ln1 ln2"), (block.attn, "q k v out"), (block.mlp, "fc1 fc2")):
                for name in names.split():
                    setattr(part, name, ScaleShift(getattr(part, name), self.std))

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, tower.layers)) * 2 * (7 * tower.width + tower.mlp)
            for tower in towers(shape, self.towers)
        )


class ScaleShift(nn.Module):
    """gamma f(x) + beta for a frozen linear or LayerNorm f."""

    def __init__(self, frozen: nn.Module, std: float) -> None:
        super().__init__()
        self.frozen = frozen
        bias = core(frozen).bias
        self.scale = nn.Parameter(nn.init.normal_(torch.empty_like(bias), 1.0, std))
        self.shift = nn.Parameter(nn.init.normal_(torch.empty_like(bias), 0.0, std))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.frozen(x) + self.shift

    @torch.no_grad()
    def merged(self) -> nn.Linear | nn.LayerNorm:
        """One plain layer with the same outputs."""
        if not isinstance(core(self.frozen), nn.LayerNorm):
            frozen = folded(self.frozen)
            return plain(self.scale[:, None] * frozen.weight, self.scale * frozen.bias + self.shift)
        inner = self.frozen if isinstance(self.frozen, nn.LayerNorm) else cast(ScaleShift, self.frozen).merged()
        assert isinstance(inner, nn.LayerNorm)
        norm = nn.LayerNorm(list(inner.normalized_shape), inner.eps, device="meta")
        norm.weight = nn.Parameter(self.scale * inner.weight, requires_grad=False)
        norm.bias = nn.Parameter(self.scale * inner.bias + self.shift, requires_grad=False)
        return norm


def core(module: nn.Module) -> nn.Linear | nn.LayerNorm:
    """The layer inside wrapped ones."""
    while not isinstance(module, nn.Linear | nn.LayerNorm):
        module = cast(Wrapper, module).frozen
    return module
