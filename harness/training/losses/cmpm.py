"""Cross-modal projection matching (Zhang & Lu, ECCV 2018)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from harness.training.losses._similarity import EPSILON, divergence, same


def loss(image: Tensor, text: Tensor, person: Tensor) -> Tensor:
    """As `sdm`, but with the scalar projections image_i . text_j / |text_j| (and the reverse) as logits, without a
    temperature, and y_ij / |y_i| as the target (the released code's norm: the paper divides by the sum).
    """
    labels = same(person)
    target = (labels / labels.norm(dim=1, keepdim=True) + EPSILON).log()
    to_text, to_image = image @ F.normalize(text).T, text @ F.normalize(image).T
    return divergence(to_text, target) + divergence(to_image, target)
