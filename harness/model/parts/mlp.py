"""The feed-forward part of a block, and its activation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QUICK = 1.702


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x) = silu(1.702 x) / 1.702, the activation of OpenAI's weights."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(QUICK * x) / QUICK


def scaled_linear(x: Tensor, linear: nn.Linear, by: Tensor | float) -> Tensor:
    """`by * linear(x)` with the factor on the weights, which are fewer than what a training batch makes of them."""
    return F.linear(x, by * linear.weight, None if linear.bias is None else by * linear.bias)


class Mlp(nn.Module):
    """fc2(activation(fc1(x))), the feed-forward part of a block.

    While it trains, the factors of quick GELU are put on the weights of plain linears: two passes over the widest
    activations less, and as many in the backward pass.
    """

    folds = True  # float16 weights would be rounded by it

    def __init__(self, width: int, hidden: int, quick_gelu: bool) -> None:
        super().__init__()
        self.fc1, self.act = nn.Linear(width, hidden), QuickGELU() if quick_gelu else nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        plain = type(self.fc1) is type(self.fc2) is nn.Linear and type(self.act) is QuickGELU
        if plain and self.folds and torch.is_grad_enabled():
            return F.linear(F.silu(scaled_linear(x, self.fc1, QUICK)), (1 / QUICK) * self.fc2.weight, self.fc2.bias)
        return self.fc2(self.act(self.fc1(x)))
