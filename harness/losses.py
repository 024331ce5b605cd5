"""Losses on the embeddings of a batch: pure functions of tensors, without a wait for their values.

`image` and `text` are float [B, d] and not normalised, row i of both is a pair; `person` is int64 [B]. Every function
gives a scalar. `compute` passes each loss what its signature asks for: a further loss is a function and its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.errors import UserError, nearest

EPSILON = 1e-8


def sdm(
    image: Tensor,
    text: Tensor,
    person: Tensor,
    temperature: float | Tensor,
    image_id: Tensor | None = None,
    factor: float = 0.3,
) -> Tensor:
    """Similarity distribution matching (Jiang & Ye, IRRA, CVPR 2023).

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
    labels = _same(person)
    if image_id is not None:
        labels = factor * labels + (1 - factor) * _same(image_id)
    target = (labels / labels.sum(dim=0) + EPSILON).log()
    logits = _cosine(image, text) / temperature
    return _divergence(logits, target) + _divergence(logits.T, target)


def cmpm(image: Tensor, text: Tensor, person: Tensor) -> Tensor:
    """Cross-modal projection matching (Zhang & Lu, ECCV 2018).

    As `sdm`, but with the scalar projections image_i . text_j / |text_j| (and the reverse) as logits, without a
    temperature, and y_ij / |y_i| as the target (the released code's norm: the paper divides by the sum).
    """
    labels = _same(person)
    target = (labels / labels.norm(dim=1, keepdim=True) + EPSILON).log()
    to_text, to_image = image @ F.normalize(text).T, text @ F.normalize(image).T
    return _divergence(to_text, target) + _divergence(to_image, target)


def itc(image: Tensor, text: Tensor, temperature: float | Tensor) -> Tensor:
    """Image-text contrast (InfoNCE; CLIP, Radford et al., ICML 2021): only the own caption matches.

    Mean of the cross entropies of cos / temperature in both directions.
    """
    logits = _cosine(image, text) / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def identity(image: Tensor, text: Tensor, person: Tensor, classifier: Callable[[Tensor], Tensor]) -> Tensor:
    """Identity classification (Zheng et al., TOMM 2020): mean of the cross entropies of image and text.

    `classifier` maps [B, d] to logits [B, identities]; it is one for both and its parameters are trained.
    """
    return (F.cross_entropy(classifier(image), person) + F.cross_entropy(classifier(text), person)) / 2


def triplet(image: Tensor, text: Tensor, person: Tensor, margin: float = 1.0) -> Tensor:
    """Cross-modal triplets with the hardest negative (Faghri et al., VSE++, BMVC 2018), on Euclidean distances.

    Mean over i of max(0, |image_i - text_i| - min over j of another person |image_i - text_j| + margin), plus the same
    with the roles exchanged; embeddings are not normalised. An anchor without another person in the batch gives 0.
    """
    # Without the matrix product, which loses the digits of small distances.
    distance = torch.cdist(image, text, compute_mode="donot_use_mm_for_euclid_dist")
    pair = distance.diagonal()
    others = distance.masked_fill(_same(person).bool(), torch.inf)
    return sum(F.relu(pair - others.amin(dim) + margin).mean() for dim in (1, 0))


def mlm(mlm_scores: Tensor, mlm_labels: Tensor) -> Tensor:
    """Cross entropy of masked tokens: scores [..., vocabulary], labels int64 [...] with 0 where nothing was masked."""
    return F.cross_entropy(mlm_scores.flatten(0, -2), mlm_labels.flatten(), ignore_index=0)


LOSSES = {"sdm": sdm, "itc": itc, "cmpm": cmpm, "id": identity, "triplet": triplet, "mlm": mlm}


def names() -> list[str]:
    """Known losses, sorted."""
    return sorted(LOSSES)


def compute(
    names: Sequence[str], image: Tensor, text: Tensor, person: Tensor, temperature: float | Tensor = 0.02, **given
) -> dict[str, Tensor]:
    """The named losses of a batch; their sum is what is trained.

    Args:
        names: Of the losses, as in `LOSSES`.
        image: [B, d], not normalised.
        text: [B, d], not normalised.
        person: int64 [B].
        temperature: Divides cosine similarities.
        **given: What single losses ask for beyond these: `classifier` (id), `mlm_scores` and `mlm_labels` (mlm),
            `image_id` and `factor` (sdm), `margin` (triplet).

    Raises:
        UserError: unknown loss, or one that lacks what it needs.
    """
    given |= {"image": image, "text": text, "person": person, "temperature": temperature}
    return {name: _call(name, given) for name in names}


def _call(name: str, given: dict) -> Tensor:
    if name not in LOSSES:
        known = ", ".join(sorted(LOSSES))
        raise UserError(f"unknown loss '{name}'", expected=f"one of {known}", nearest=nearest(name, LOSSES))
    wanted = inspect.signature(LOSSES[name]).parameters
    lacking = [k for k, p in wanted.items() if p.default is p.empty and given.get(k) is None]
    if lacking:
        raise UserError(f"loss '{name}' needs {' and '.join(lacking)}, which this method or recipe does not give")
    return LOSSES[name](**{k: v for k, v in given.items() if k in wanted})


def _same(key: Tensor) -> Tensor:
    """1 where two entries are equal and 0 elsewhere, float32 [B, B]."""
    return (key[:, None] == key[None, :]).float()


def _cosine(image: Tensor, text: Tensor) -> Tensor:
    return F.normalize(image) @ F.normalize(text).T


def _divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over rows of KL(softmax(logits) || exp(target))."""
    logs = F.log_softmax(logits, dim=1)
    return (logs.exp() * (logs - target)).sum(dim=1).mean()
