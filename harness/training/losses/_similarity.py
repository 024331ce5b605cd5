"""What several losses share: who is the same, cosines, and divergences of their distributions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-8


def same(key: Tensor) -> Tensor:
    """1 where two entries are equal and 0 elsewhere, float32 [B, B]."""
    return (key[:, None] == key[None, :]).float()


def cosine(image: Tensor, text: Tensor) -> Tensor:
    """Cosines of all pairs, [B, B]."""
    return F.normalize(image) @ F.normalize(text).T


def divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over rows of KL(softmax(logits) || exp(target))."""
    logs = F.log_softmax(logits, dim=1)
    return (logs.exp() * (logs - target)).sum(dim=1).mean()
