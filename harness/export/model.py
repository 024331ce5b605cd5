"""A trained model that is to be exported, and the plain CLIP that it becomes where its method folds."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness import registry
from harness.adaptation import carried
from harness.adaptation.method import Method, make, merge, trainable, written_out
from harness.errors import UserError
from harness.model import weights
from harness.model.clip import Backbone, Block
from harness.model.names import theirs
from harness.model.source import Source, folder_of

SCALE = math.log(100)  # CLIP's own logit scale, at its upper bound; the towers hold none
# A site of a block or tower, and what stands there in words.
SITES = {
    "prefix": "a prefix in attention",
    "inputs": "trained tokens at the input",
    "tokens": "trained tokens between blocks",
    "head": "an adapter on the features",
    **{site: f"an adapter {site.split('_')[0]} {site.split('_')[1]}" for site in Block.AFTER},
    "beside_ln1": "an adapter beside ln1",
}
VOCABULARY = "vocabulary.json"


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        backbone: The towers with the method attached and its trained parameters in place.
        source: Where the frozen backbone comes from.
        method: Name of the method.
        options: Its options, as JSON has them.
        logit_scale: Logarithm of the factor on cosines, for libraries that keep one.
        trial: Id of the trial that trained it, or None.
    """

    backbone: Backbone
    source: Source
    method: str
    options: dict[str, Any]
    logit_scale: float = SCALE
    trial: str | None = None

    def made(self) -> Method:
        return make(registry.find("methods", self.method), self.options)

    def trained(self) -> dict[str, Tensor]:
        """The method's trained parameters by name, whether they still ask for gradients or not."""
        with torch.device("meta"):
            bare = Backbone(self.backbone.shape).requires_grad_(False)
        self.made().attach(bare)
        own = dict(self.backbone.named_parameters())
        return {name: own[name].detach() for name in trainable(bare)}

    def base(self) -> Backbone:
        """The backbone before the method, with the weights of its source."""
        return weights.load(self.source)


def of(
    backbone: Backbone,
    source: Source,
    method: str,
    options: dict[str, Any],
    logit_scale: float = SCALE,
    trial: str | None = None,
) -> Model:
    """A model to export; where `zero_shot` measured a backbone that carries a trained method, that method's."""
    if (found := carried.of(source)) is None:
        return Model(backbone, source, method, options, logit_scale, trial)
    return Model(
        backbone,
        weights.frozen(source) or source,
        found.method,
        written_out(carried.method_of(found)),
        logit_scale,
        trial,
    )


def folded(model: Model) -> Backbone:
    """A copy with everything folded that folds."""
    backbone = copy.deepcopy(model.backbone).requires_grad_(False).eval()
    merge(backbone)
    return backbone


def leftover(backbone: Backbone) -> Iterator[tuple[str, str]]:
    """Places and words for what is no part of a plain CLIP, outermost modules only."""
    with torch.device("meta"):
        plain = dict(Backbone(backbone.shape).named_modules())
    seen: list[str] = []
    for name, module in backbone.named_modules():
        if name.startswith(tuple(f"{outer}." for outer in seen)):
            continue
        if name not in plain or type(module) is not type(plain[name]):
            seen.append(name)
            site = next((part for part in reversed(name.split(".")) if part in SITES), None)
            yield name, SITES[site] if site else f"{type(module).__name__} around {name.rsplit('.', 1)[-1]}"


def plain(model: Model, form: str) -> Backbone:
    """The model as a plain CLIP with the same features.

    Raises:
        UserError: a part of the method cannot be folded into the weights; it is named.
    """
    backbone = folded(model)
    if left := next(leftover(backbone), None):
        place, words = left
        raise UserError(f"{form} has no place for {words} of {model.method} ({place})", "--as", "--as upbench")
    return backbone


def state(model: Model, backbone: Backbone) -> dict[str, Tensor]:
    """A plain backbone's weights in open_clip's names, with the logit scale."""
    return theirs({name: value.detach().cpu() for name, value in backbone.state_dict().items()}, model.logit_scale)


def vocabulary(model: Model) -> Path | None:
    """The file of the backbone's own vocabulary, where it is not CLIP's."""
    folder = folder_of(model.source.name)
    return folder / VOCABULARY if folder and (folder / VOCABULARY).is_file() else None


def pixels(model: Model) -> dict[str, tuple]:
    """Size, mean and standard deviation of the images that the model expects."""
    return weights.pixels(model.source)


def replaced(model: Model, backbone: Backbone) -> Model:
    """The same with other towers and no method."""
    return dataclasses.replace(model, backbone=backbone, method="zero_shot", options={})
