"""Multi-head attention of a block, with room for extra keys and values."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with four plain projections and room for extra keys and values.

    Each module in `prefix` maps the input [batch, tokens, d] to a pair (keys, values), each [length, d] or
    [batch, length, d]; every token sees all of them, under a causal mask too.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.prefix = nn.ModuleList()

    def forward(self, x: Tensor, causal: bool, at: int | Tensor | None = None) -> Tensor:
        tokens = x.shape[1]
        q, k, v = self.q(row(x, at)), self.k(x), self.v(x)
        for site in self.prefix:
            keys, values = (part.to(k.dtype).expand(len(x), -1, -1) for part in site(x))
            k, v = torch.cat([keys, k], dim=1), torch.cat([values, v], dim=1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        extra = k.shape[2] - tokens
        mask = _causal(tokens, extra, x.device) if causal and (extra or at is not None) else None
        mask = mask[at % tokens][:, None, None] if mask is not None and at is not None else mask
        mixed = attend(q, k, v, mask, causal and mask is None)
        return self.out(mixed.transpose(1, 2).flatten(2))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """softmax(q k' / sqrt(d)) v for q [batch, heads, tokens, d] and k, v [batch, heads, keys, d].

    By torch's fused kernel, except in bf16 on a CPU: there that kernel computes in float32, and plain products have the
    processor's arithmetic of bf16, which takes less than half of the time. They round scores to bf16.

    Args:
        mask: bool, what each token sees, of a shape that spreads to [batch, heads, tokens, keys]; None for everything.
        causal: In place of a mask, each token sees the keys up to its own place, of as many as there are tokens.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else q.dtype
    if q.device.type != "cpu" or dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    seen = _causal(q.shape[2], 0, q.device) if causal else mask
    return (scores if seen is None else scores.masked_fill(~seen, -torch.inf)).softmax(dim=-1) @ v


def row(x: Tensor, at: int | Tensor | None) -> Tensor:
    """The tokens [batch, 1, d] at an index, or at indices [batch] that count from the last token, or all of them."""
    if at is None or isinstance(at, int):
        return x if at is None else x[:, at : at + 1]
    return x[torch.arange(len(x), device=x.device), at][:, None]


@functools.lru_cache(maxsize=64)
def _causal(tokens: int, extra: int, device: torch.device) -> Tensor:
    """Boolean mask [tokens, extra + tokens]: the extra keys are visible to all, the others to later tokens."""
    seen = torch.ones(tokens, tokens, dtype=torch.bool, device=device).tril()
    return torch.cat([torch.ones(tokens, extra, dtype=torch.bool, device=device), seen], dim=1)
