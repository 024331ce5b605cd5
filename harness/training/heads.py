"""Modules that single losses train beside the backbone; they are not saved and have no part in retrieval."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence

import torch
from torch import nn

from harness.training import interaction, objective

STD = 0.001  # of the classifier's first weights (IRRA, released code)


def parameters(losses: Sequence[str], embed: int, identities: int, vocabulary: int, layers: int) -> dict[str, int]:
    """Parameters of the heads of some losses, by head.

    Args:
        losses: Their names.
        embed: Width of the embedding.
        identities: In the training split.
        vocabulary: Of the text tower.
        layers: Blocks of the interaction.
    """
    sizes = {"classifier": identities * (embed + 1), **interaction.parameters(embed, vocabulary, layers)}
    return {head: sizes[head] for head in objective.heads(losses)}


def build(
    names: Collection[str], embed: int, identities: int, seed: int, vocabulary: int, layers: int
) -> dict[str, nn.Module]:
    """The heads by name, on the CPU, with the first weights of IRRA (CVPR 2023).

    The classifier is linear, normal with `STD` and zero bias; for the others see `interaction.start`.

    Args:
        names: Of the heads.
        embed: Width of the embedding.
        identities: In the training split.
        seed: Of the weights.
        vocabulary: Of the text tower.
        layers: Blocks of the interaction.
    """
    made: dict[str, nn.Module] = {}
    if "classifier" in names:
        classifier = nn.utils.skip_init(nn.Linear, embed, identities)
        nn.init.normal_(classifier.weight, std=STD, generator=_own("classifier", seed))
        nn.init.zeros_(classifier.bias)
        made["classifier"] = classifier
    with torch.device("meta"):
        bare: dict[str, interaction.Interaction | interaction.Words] = {
            "interaction": interaction.Interaction(embed, layers),
            "mlm_head": interaction.Words(embed, vocabulary),
        }
    for name, module in bare.items():
        if name in names:
            made[name] = module.to_empty(device="cpu")
            interaction.start(module, embed, layers, _own(name, seed))
    return made


def _own(head: str, seed: int) -> torch.Generator:
    """Random numbers of a head: from the trial's seed itself, they would be those that the method started with."""
    return torch.Generator().manual_seed(zlib.crc32(f"{head} {seed}".encode()))
