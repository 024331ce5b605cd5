"""What is trained: the named losses of a batch, each passed what its signature asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from harness import registry
from harness.errors import UserError


def heads(losses: Sequence[str]) -> tuple[str, ...]:
    """The heads that some losses need, in order."""
    return tuple(head for name in losses for head in getattr(registry.find("losses", name), "HEADS", ()))


def compute(
    losses: Sequence[str],
    image: Tensor,
    text: Tensor,
    person: Tensor,
    temperature: float | Tensor = 0.02,
    **given: Any,
) -> dict[str, Tensor]:
    """The named losses of a batch; their sum is what is trained.

    Args:
        losses: Their names, files of `harness/training/losses/`.
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
    return {name: _call(name, given) for name in losses}


def _call(name: str, given: Mapping[str, Any]) -> Tensor:
    loss = registry.find("losses", name).loss
    wanted = inspect.signature(loss).parameters
    lacking = [k for k, p in wanted.items() if p.default is p.empty and given.get(k) is None]
    if lacking:
        raise UserError(f"loss '{name}' needs {' and '.join(lacking)}, which this method or recipe does not give")
    return loss(**{k: v for k, v in given.items() if k in wanted})
