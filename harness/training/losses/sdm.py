"""Similarity distribution matching (Jiang & Ye, IRRA, CVPR 2023)."""

from __future__ import annotations

from torch import Tensor

from harness.training.losses._similarity import EPSILON, cosine, divergence, same


def loss(
    image: Tensor,
    text: Tensor,
    person: Tensor,
    temperature: float | Tensor,
    image_id: Tensor | None = None,
    factor: float = 0.3,
) -> Tensor:
    """KL divergence of the similarities' distributions from those of the identities, in both directions.

    With y_ij = 1 if i and j are the same person and 0 otherwise, q_ij = y_ij / sum_k y_ik and
    p_ij = softmax over j of cos(image_i, text_j) / temperature, the image-to-text part is the mean over i of
    KL(p_i || q_i) = sum_j p_ij (log p_ij - log(q_ij + epsilon)); the loss is the sum of both directions.

    Args:
        image: [B, d].
        text: [B, d].
        person: [B].
        temperature: 0.02 in the paper.
        image_id: If given, int64 [B]: captions of other images of the same person count `factor` instead of 1. y_ij is
            then divided by the sum of column j, as in the released code; without it rows and columns sum alike.
        factor: See `image_id`.
    """
    labels = same(person)
    if image_id is not None:
        labels = factor * labels + (1 - factor) * same(image_id)
    target = (labels / labels.sum(dim=0) + EPSILON).log()
    logits = cosine(image, text) / temperature
    return divergence(logits, target) + divergence(logits.T, target)
