"""What a trial is made of: one training and its evaluation, as frozen values that a study writes down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness import registry
from harness.errors import brief
from harness.training.recipe import Recipe, Value
from harness.training.recipe import named as named_recipe

Selection = Literal["val", "last", "test-oracle"]
Keep = Literal["adapters", "all", "none"]
Device = Literal["auto", "cpu", "cuda"]
Threads = Annotated[int, Field(ge=1, le=1024)]  # more end the process
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # as a column of the results and torch's generators hold it
Side = Annotated[int, Field(ge=1, le=4096)]  # pixels
Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


def recipe(given: Mapping[str, Any]) -> Recipe:
    """A recipe from a name and what differs from it."""
    name = given.get("name", "default")
    if name not in (known := registry.names("recipes")):
        raise ValueError(f"unknown recipe '{brief(str(name))}', known are {', '.join(known)}")
    return Recipe(**{**named_recipe(name), **given, "name": name})


class Data(Value):
    """A data set by name, with the options of its loader (`root` names its folder)."""

    dataset: str
    options: dict[str, Any] = {}


class Backbone(Value):
    """A backbone; see `harness.model.weights.Source`."""

    name: str = "ViT-B-16"
    pretrained: str | None = None
    image: Annotated[tuple[Side, Side], Listed] | None = None
    resize: Literal["bilinear", "bicubic"] = "bilinear"
    activation: Literal["auto", "gelu", "quick_gelu"] = "auto"
    trained_at: Annotated[tuple[Side, Side], Listed] | None = None


class Setting(Value):
    """What a trial has by one plain name; the grid and rules of a study set it by that."""

    label: str = ""
    budget: str | None = None
    selection: Selection = "val"
    device: Device = "auto"
    threads: Threads = 1
    keep: Keep = "adapters"
    seed: Seed = 0


class Trial(Value):
    """One training and its evaluation, before its budget is solved."""

    method: str
    options: dict[str, Any]
    label: str
    budget: str | None
    dataset: Data
    backbone: Backbone
    recipe: Recipe
    selection: Selection
    evaluate_on: tuple[Data, ...]
    seed: Seed
    device: Device
    threads: Threads
    keep: Keep = "adapters"  # which methods' trained parameters stay: those that add parameters, all, none
    phase: Literal["tuning"] | None = None  # a trial of a search measures val alone
    tuned: dict[str, Any] | None = None  # what was chosen for it, and what the search took

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, every default written out."""
        return json.loads(self.model_dump_json())
