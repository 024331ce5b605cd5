"""Whether a trial's sizes fit the backbone and the data, told with the numbers before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from harness import registry
from harness.adaptation.method import Method, limits_of, make, sizes, trainable
from harness.errors import UserError
from harness.model.clip import Backbone, Shape
from harness.model.weights import Source, shape
from harness.training.optimizer import groups
from harness.training.recipe import HEADS, Recipe
from harness.trial import splits
from harness.trial.spec import Trial


def faults(trial: Trial, data: str | Path) -> list[str]:
    """What does not fit, one sentence each; options that a budget decides are left to it."""
    method = make(registry.find("methods", trial.method), trial.options)
    on = shape(Source(**dict(trial.backbone)))
    found = list(_method(method, on, bool(trial.budget)))
    if not found and method.parameters(on):
        found += _factors(trial.recipe, method, on)
        found += _data(trial.recipe, splits.splits(trial.dataset.model_dump(), data)["train"], trial.dataset.dataset)
    return found


def _method(method: Method, on: Shape, budget: bool) -> Iterator[str]:
    towers = f"towers of {on.image.layers} and {on.text.layers} blocks"
    try:
        method.parameters(on)
        given = sizes(method, on)
        limits = limits_of(method, on)
    except UserError as error:
        yield f"{error.what} ({towers})"
        return
    for name, limit in limits.items():
        if not budget and name in given and given[name] is not None and given[name] > limit:
            yield f"{name} {given[name]} is above {limit}, the most on this backbone"


def _factors(recipe: Recipe, method: Method, on: Shape) -> Iterator[str]:
    """Factors on the learning rate that no trained parameter has; those of heads depend on the losses."""
    own = {key: factor for key, factor in recipe.lr_factors.items() if not any(head in key for head in HEADS)}
    if not own:
        return
    with torch.device("meta"):
        backbone = Backbone(on).requires_grad_(False)
        method.attach(backbone)
    try:
        groups(trainable(backbone), recipe.model_copy(update={"lr_factors": own}))
    except UserError as error:
        yield str(error)


def _data(recipe: Recipe, train, name: str) -> Iterator[str]:
    captions, persons = len(train.captions), len(set(train.caption_person.tolist()))
    if recipe.batch > captions:
        yield f"recipe.batch {recipe.batch} is larger than the {captions} training captions of {name}"
    elif recipe.sampler == "identity" and recipe.batch // recipe.instances > persons:
        yield (
            f"recipe.batch {recipe.batch} holds {recipe.batch // recipe.instances} identities with {recipe.instances} "
            f"captions each, and the training split of {name} has {persons}"
        )
