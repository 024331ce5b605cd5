"""A mixture of adapters with a router and a balance loss; `methods/dm_adapter.py` has the equations."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.adaptation.method import full_precision


def balance(probabilities: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """E sum_e f_e m_e, 1 when both are uniform; the arguments are those of `shares`."""
    return product(shares(probabilities, chosen, weights))


def shares(probabilities: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """f and m, means over the samples [2, E].

    Args:
        probabilities: Softmax over all adapters [batch, tokens, E].
        chosen: Indices of the active adapters [batch, tokens, k].
        weights: Of the tokens, summing to 1 per sample [batch, tokens].
    """
    experts = probabilities.shape[-1]
    picked = F.one_hot(chosen, experts).to(probabilities.dtype).mean(dim=-2)
    weights = weights.to(probabilities.dtype)
    return torch.stack([torch.einsum("bt,bte->be", weights, part).mean(dim=0) for part in (picked, probabilities)])


def product(shares: Tensor) -> Tensor:
    """E sum_e f_e m_e of `shares` [2, E]."""
    return shares.shape[1] * shares.prod(dim=0).sum()


class Router(nn.Module):
    """Gates of the adapters for each token, zero except for k of them; keeps what its balance loss needs."""

    def __init__(self, like: Tensor, width: int, experts: int, active: int, mean: nn.Module, weight: float) -> None:
        super().__init__()
        self.active, self.weight, self.mean = active, weight * active / experts, mean
        self.token, self.domain = (
            nn.Parameter(nn.init.normal_(like.new_empty(experts, width), std=0.02)) for _ in range(2)
        )
        self.prompt = nn.Parameter(nn.init.normal_(like.new_empty(width)))
        self.blend = nn.Parameter(like.new_full((), 0.5))
        self.link: nn.Module | None = None
        self.source: nn.Parameter | None = None
        self.last: Tensor | None = None
        self.shares: Tensor | None = None
        self.recording = False  # without gradients too

    def forward(self, h: Tensor) -> Tensor:
        """h [batch, tokens, d] to gates [batch, tokens, E]; in the parameters' precision, lest rounding choose."""
        with full_precision(h):
            prompt = self.prompt if self.link is None else self.prompt + self.link(self.source)
            by_token, by_domain = F.linear(h.to(self.token.dtype), self.token), F.linear(prompt, self.domain)
            logits = (1 - self.blend) * by_token + self.blend * by_domain
            top, chosen = logits.topk(self.active, dim=-1)
            if torch.is_grad_enabled() or self.recording:
                self.shares = shares(logits.softmax(dim=-1), chosen, self.mean(h))
                self.last = product(self.shares) if torch.is_grad_enabled() else None
            return torch.zeros_like(logits).scatter(-1, chosen, top.softmax(dim=-1))

    def extra_loss(self) -> Tensor | None:
        """The weighted balance loss of the last forward pass with gradients; each is given once."""
        last, self.last = self.last, None
        return None if last is None else self.weight * last

    def statistics(self) -> Tensor | None:
        """Means over the samples of the last forward pass that `extra_of` needs; each is given once."""
        found, self.shares = self.shares, None
        return found

    def extra_of(self, statistics: Tensor) -> Tensor:
        """The extra loss from the means over a whole batch."""
        return self.weight * product(statistics)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "last": None, "shares": None}


class Mixture(nn.Module):
    """s sum_e g_e(h) A_e(h) of the residual stream, added to the MLP's output.

    All adapters are one bottleneck of E w units, each multiplied by the gate of its adapter: the same sum, without
    shapes that depend on the data. W_down [E w, d], W_up [d, E w], b_up [E, d].
    """

    def __init__(self, like: Tensor, width: int, bottleneck: int, router: Router, scale: float) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        experts = len(router.token)
        self.router, self.scale = router, scale
        self.norm = nn.LayerNorm(width, **place)
        self.down = nn.Linear(width, experts * bottleneck, **place)
        self.up = nn.Linear(experts * bottleneck, width, bias=False, **place)
        self.up_bias = nn.Parameter(like.new_zeros(experts, width))
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """x [batch, tokens, d] to the same."""
        x = self.norm(x)
        gates = self.router(x)
        hidden = self.down(x).relu().unflatten(-1, (gates.shape[-1], -1)) * gates[..., None]
        return self.scale * (self.up(hidden.flatten(-2)) + gates @ self.up_bias)
