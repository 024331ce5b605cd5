"""Identity classification (Zheng et al., TOMM 2020): one classifier of image and text."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

HEADS = ("classifier",)


def loss(image: Tensor, text: Tensor, person: Tensor, classifier: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean of the cross entropies of image and text.

    `classifier` maps [B, d] to logits [B, identities]; it is one for both and its parameters are trained.
    """
    return (F.cross_entropy(classifier(image), person) + F.cross_entropy(classifier(text), person)) / 2
