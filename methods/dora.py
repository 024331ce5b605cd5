"""DoRA: low-rank updates of a weight's direction, and its magnitude trained apart (Liu et al. 2024).

For a frozen W [out, in], LoRA's update s B A (see `methods/lora.py`) and a trained magnitude m [out]:

    W' = m (W + s B A) / |W + s B A|        |.| is the norm of each row, which makes one output
    y = x W'^T + b

m starts at |W| and B at zero: the identity. The norm in the denominator is a constant for the gradient (section 4.3 of
the paper). What is added to the frozen linear is g s x (B A)^T + (g - 1) x W^T with g = m / |W + s B A|, so the method
stands beside others on the same linear.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.adaptation.method import full_precision, options
from harness.adaptation.starts import Sized, Starts
from harness.model.clip import Backbone, Shape
from methods import lora
from methods.lora import LowRank, dense, linears, wrap


@options
class Method(lora.Method):
    reference: ClassVar[str] = "https://arxiv.org/abs/2402.09353"
    starts: ClassVar[Starts] = {
        **lora.Method.starts,
        "magnitude": Sized("norm of each row of W", lambda place: place.frozen.norm(dim=1)),
    }

    def attach(self, backbone: Backbone) -> None:
        wrap(
            backbone, self.towers, self.depth, self.targets, lambda frozen: Decomposed(frozen, self.rank, self._scale())
        )

    def parameters(self, shape: Shape) -> int:
        magnitudes = sum(outputs for _, outputs in linears(shape, self.towers, self.depth, self.targets))
        return lora.Method.parameters(self, shape) + magnitudes


class Decomposed(LowRank):
    """A frozen linear whose weight's rows get a trained direction and magnitude [out]."""

    def __init__(self, frozen: nn.Module, rank: int, scale: float | None) -> None:
        super().__init__(frozen, rank, scale)
        self.magnitude = nn.Parameter(dense(frozen).weight.norm(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        out, linear = self.frozen(x), dense(self.frozen)
        straight = out - linear.bias if self.frozen is linear else F.linear(x, linear.weight)
        gain = self.gain()
        return out + (gain - 1) * straight + gain * self.low(x)

    def gain(self) -> Tensor:
        """Magnitude over the norm of each row [out], the norm in full precision and without a gradient."""
        with torch.no_grad(), full_precision(self.a):
            norm = (dense(self.frozen).weight + LowRank.delta(self)).norm(dim=1)
        return self.magnitude / norm

    def delta(self) -> Tensor:
        gain = self.gain()[:, None]
        return (gain - 1) * dense(self.frozen).weight + gain * super().delta()
