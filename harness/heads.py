"""Modules that single losses train beside the backbone; they are not saved and have no part in retrieval."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from harness import losses
from harness.errors import UserError, nearest

STD = 0.001  # of the classifier's first weights (IRRA, released code)
NEEDS = {"id": ("classifier",)}  # loss -> heads
LACKING = {"mlm": "it needs a decoder over both towers' tokens, which the harness does not have"}


def check(names: Sequence[str]) -> None:
    """Refuse losses that no trial can be trained with.

    Raises:
        UserError: none given, one given twice, an unknown one, or one whose module does not exist here.
    """
    offered = [name for name in losses.names() if name not in LACKING]
    expected = f"one of {', '.join(offered)}"
    if not names:
        raise UserError("no loss to train with", "recipe.losses", expected)
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UserError(f"loss '{name}' is named twice", "recipe.losses", "each loss once")
        if name in LACKING:
            raise UserError(f"loss '{name}' cannot be trained: {LACKING[name]}", "recipe.losses", expected)
        if name not in losses.LOSSES:
            raise UserError(f"unknown loss '{name}'", "recipe.losses", expected, nearest(name, offered))


def parameters(names: Sequence[str], embed: int, identities: int) -> dict[str, int]:
    """Parameters of the heads of some losses, by head.

    Args:
        names: Of the losses.
        embed: Width of the embedding.
        identities: In the training split.
    """
    sizes = {"classifier": identities * (embed + 1)}
    return {head: sizes[head] for name in names for head in NEEDS.get(name, ())}


def build(names: Mapping[str, int] | Sequence[str], embed: int, identities: int, seed: int) -> dict[str, nn.Module]:
    """The heads by name, on the CPU: the classifier is linear, normal with `STD` and zero bias (IRRA, CVPR 2023).

    Args:
        names: Of the heads.
        embed: Width of the embedding.
        identities: In the training split.
        seed: Of the weights.
    """
    made: dict[str, nn.Module] = {}
    if "classifier" in names:
        # A seed of its own: from the trial's, these would be the numbers that the method started with.
        own = torch.Generator().manual_seed(zlib.crc32(f"classifier {seed}".encode()))
        classifier = nn.utils.skip_init(nn.Linear, embed, identities)
        nn.init.normal_(classifier.weight, std=STD, generator=own)
        nn.init.zeros_(classifier.bias)
        made["classifier"] = classifier
    return made
