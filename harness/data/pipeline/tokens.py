"""Token ids of captions: their lengths, cutting a batch to its longest, masking. The end token has the largest id."""

from __future__ import annotations

import functools
from collections.abc import Collection

import torch
from torch import Tensor

from harness.data.pipeline import random as draws

MASKED, RANDOM = 0.8, 0.1  # of the chosen tokens; the rest stay as they are (BERT, Devlin et al., NAACL 2019, 3.1)


def lengths(ids: Tensor) -> Tensor:
    """Tokens of each caption of int64 [B, L], start and first end token included: int64 [B].

    Counted to the end token and not to the padding, because the id of the padding, 0, is also a token ("!").
    """
    return ids.argmax(dim=1) + 1


def trim(ids: Tensor, multiple: int = 1, longest: int | None = None) -> Tensor:
    """Cut int64 [B, L] to the longest caption of the batch: [B, l], a view.

    Exact under a causal mask with the feature read at the end token. `multiple` rounds l up (not above L), where
    repeated shapes are worth more than short ones. Without the length of the longest it waits for the ids' values.
    """
    if longest is None:
        longest = int(lengths(ids).max()) if len(ids) else 0
    return ids[:, : min(-(-longest // multiple) * multiple, ids.shape[1])]


def mask(
    ids: Tensor,
    probability: float,
    seed: int,
    epoch: int,
    index: Tensor,
    mask_id: int,
    vocabulary: int,
    specials: Collection[int] = (),
) -> Tensor:
    """Mask the fed captions as BERT does; the arguments are those of `mask_labelled`. Returns int64 [B, L]."""
    return mask_labelled(ids, probability, seed, epoch, index, mask_id, vocabulary, specials)[0]


def mask_labelled(
    ids: Tensor,
    probability: float,
    seed: int,
    epoch: int,
    index: Tensor,
    mask_id: int,
    vocabulary: int,
    specials: Collection[int] = (),
) -> tuple[Tensor, Tensor]:
    """Masked captions with the tokens to be predicted.

    Every token between start and end is chosen with `probability`; of the chosen, 80 % become `mask_id`, 10 % a random
    token and 10 % stay. In a caption without a chosen token, the one with the smallest draw is chosen.

    Args:
        ids: int64 [B, L], padded with 0.
        probability: Of a token to be chosen; 0 chooses none.
        seed: The trial's seed.
        epoch: The epoch.
        index: int64 [B], the samples' numbers in the training set.
        mask_id: The mask token.
        vocabulary: Number of ids; random tokens are drawn from 1..vocabulary-1 without specials and mask.
        specials: Ids that are never chosen and never drawn, such as start and end.

    Returns:
        ids and labels, both int64 [B, L]; labels are 0 where nothing is to be predicted.
    """
    place = torch.arange(ids.shape[1], device=ids.device)
    closed, allowed = _sorted(vocabulary, frozenset({*specials, mask_id}), ids.device)
    words = (place > 0) & (place < lengths(ids).unsqueeze(1) - 1) & ~torch.isin(ids, closed)
    u = draws.uniform(draws.TEXT, seed, epoch, index.to(ids.device), 3 * ids.shape[1])
    # Three draws for each position in turn, so that they do not depend on how far the batch was trimmed.
    choose, how, which = u.view(len(ids), ids.shape[1], 3).unbind(2)
    choose = choose.masked_fill(~words, 2.0)
    fewest = (choose == choose.amin(dim=1, keepdim=True)) & (probability > 0)
    chosen = words & ((choose < probability) | (fewest & (choose >= probability).all(dim=1, keepdim=True)))
    random = allowed[draws.below(which, len(allowed))]
    new = torch.where(how < MASKED, mask_id, torch.where(how < MASKED + RANDOM, random, ids))
    return torch.where(chosen, new, ids), torch.where(chosen, ids, 0)


def listed(labels: Tensor, count: int) -> Tensor:
    """The `count` words that labels int64 [B, L] have, int64 [count, 3]: caption, place, word.

    Who knows their number need not wait for the labels' values.
    """
    places = torch.nonzero_static(labels, size=count)
    return torch.cat([places, labels[places.unbind(1)][:, None]], dim=1)


@functools.lru_cache(maxsize=8)
def _sorted(vocabulary: int, closed: frozenset[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids that are never chosen or drawn, and those that may be drawn; copied to a device once."""
    allowed = [word for word in range(1, vocabulary) if word not in closed]
    return torch.tensor(sorted(closed), device=device), torch.tensor(allowed, device=device)
