"""Prefix tuning: trained keys and values beside those of the tokens (Li and Liang 2021).

In each chosen block, with l trained keys P_k and values P_v [l, d] shared by all inputs and split into heads like the
others, attention becomes

    softmax(q [P_k; K]^T / sqrt(d_head)) [s P_v; V]

s scales the attention that falls on the prefix, without renormalising: scaling a probability scales its value, so the
fused attention kernel serves. The vanilla prefix has s = 1. P_k and P_v start from U(0, 0.01) as in UP-Person's code;
the start is no identity, because keys near zero take part in the softmax.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.adaptation.starts import ONE, Constant, Starts, Uniform
from harness.model.clip import Backbone, Shape


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 10
    scale: Annotated[float, Field(gt=0)] = 1.0
    learn_scale: bool = False  # train s, one per block and tower
    bank_scalars: bool = False  # one trained scalar on P_k and one on P_v, from 1
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2101.00190"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length",)
    adds: ClassVar[bool] = True

    @property
    def starts(self) -> Starts:
        scalars = {"scale": Constant(self.scale), "key_scalar": ONE, "value_scalar": ONE}
        return {"keys": Uniform(0.0, 0.01), "values": Uniform(0.0, 0.01), **scalars}

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            like = tower.position
            block.attn.prefix.append(
                Prefix(
                    like.new_empty(2, self.length, tower.shape.width), self.scale, self.learn_scale, self.bank_scalars
                )
            )

    def parameters(self, shape: Shape) -> int:
        scalars = self.learn_scale + 2 * self.bank_scalars
        return sum(
            len(layers(self.depth, tower.layers)) * (2 * self.length * tower.width + scalars)
            for tower in towers(shape, self.towers)
        )


class Prefix(nn.Module):
    """Keys and values [length, width] of one block."""

    HALF: ClassVar[tuple[str, ...]] = ("keys", "values", "key_scalar", "value_scalar")

    def __init__(self, empty: Tensor, scale: float, learn_scale: bool, bank_scalars: bool) -> None:
        super().__init__()
        self.keys, self.values = (nn.Parameter(nn.init.uniform_(part.clone(), 0.0, 0.01)) for part in empty)
        self.scale = nn.Parameter(empty.new_tensor(scale)) if learn_scale else scale
        self.key_scalar, self.value_scalar = (
            nn.Parameter(empty.new_ones(())) if bank_scalars else 1.0 for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same pair for every input x."""
        return self.key_scalar * self.keys, self.scale * self.value_scalar * self.values
