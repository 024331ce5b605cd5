"""Masked words, predicted from both towers' tokens (IRRA's implicit relation reasoning; Jiang & Ye, CVPR 2023)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

HEADS = ("interaction", "mlm_head")


def loss(mlm_scores: Tensor, mlm_labels: Tensor) -> Tensor:
    """Cross entropy of masked tokens: scores [..., vocabulary], labels int64 [...] with 0 where nothing was masked."""
    return F.cross_entropy(mlm_scores.flatten(0, -2), mlm_labels.flatten(), ignore_index=0)
