"""Image-text contrast (InfoNCE; CLIP, Radford et al., ICML 2021): only the own caption matches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.training.losses._similarity import cosine


def loss(image: Tensor, text: Tensor, temperature: float | Tensor) -> Tensor:
    """Mean of the cross entropies of cos / temperature in both directions."""
    logits = cosine(image, text) / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
