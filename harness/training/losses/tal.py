"""Triplet alignment loss (Qin et al., RDE, CVPR 2024): a soft maximum over all negatives in place of the hardest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.training.losses._similarity import cosine, same


def loss(image: Tensor, text: Tensor, person: Tensor, temperature: float | Tensor, margin: float = 0.1) -> Tensor:
    """Sum over the batch and both directions of

        [margin - sum_j alpha_ij S_ij + temperature log sum_k exp(S_ik / temperature)]_+

    with S the cosines, j over the entries of the same person as i, k over all others, and alpha_ij = softmax over those
    j of S_ij / temperature, through which no gradient flows. An anchor without another person in the batch gives 0.

    Args:
        image: [B, d].
        text: [B, d].
        person: [B].
        temperature: 0.015 in the paper's experiments.
        margin: 0.1 in the paper.
    """
    scores, positive = cosine(image, text), same(person).bool()
    return sum((_one_way(s, positive, temperature, margin) for s in (scores, scores.T)), scores.new_zeros(()))


def _one_way(scores: Tensor, positive: Tensor, temperature: float | Tensor, margin: float) -> Tensor:
    lowest = torch.finfo(scores.dtype).min  # finite, so that a row without negatives has a gradient, of 0
    scaled = scores / temperature
    with torch.no_grad():
        alpha = scaled.masked_fill(~positive, lowest).softmax(dim=1)
    own = (alpha * scores.masked_fill(~positive, 0.0)).sum(dim=1)
    others = temperature * scaled.masked_fill(positive, lowest).logsumexp(dim=1)
    return F.relu(margin - own + others).sum()
