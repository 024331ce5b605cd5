"""Captions of one length go together through the text tower, so that few padded tokens are computed.

Later tokens never reach an earlier one, and a caption is read at its end, so a caption's feature does not depend on how
far it is padded, nor on which others share its forward pass: sums are in another order, nothing else differs. A batch
of 64 captions is as long as its longest, about twice the mean.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harness.data.pipeline import tokens

LEAST = 16  # captions in a group of a step: below it, what each pass costs by itself eats what padding would


def encode(tower: Callable[[Tensor], Tensor], ids: Tensor, groups: int) -> Tensor:
    """Features [B, embed] of `tower` for ids int64 [B, L], in groups by length, each cut to its longest.

    Where ids are not on the CPU they go through as they are: to group them there, the host would have to wait.
    """
    if ids.device.type != "cpu" or groups < 2:
        return tower(ids)
    lengths = tokens.lengths(ids)
    order = lengths.argsort(stable=True)
    parts = [tower(ids[rows, : int(lengths[rows[-1]])]) for rows in order.tensor_split(groups)]
    return torch.cat(parts)[order.argsort()]
