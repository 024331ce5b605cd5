"""The values a study is made of, and the forms in which they may be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from harness.training.recipe import Value
from harness.trial.spec import Listed, Seed

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
Budget = Annotated[str | int | None, BeforeValidator(lambda value: _budget(value))]
Axes = dict[str, list[Any]]  # dotted key -> values
MOST_SEEDS = 10_000  # that a cell may have where their number is found


def _budget(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError("a share like 4.7%, a count like 2M, or null")
    return value


def named(value: Any, key: str) -> Any:
    """`lora`, `{lora: {rank: 8}}` and `{method: lora, options: {rank: 8}}` all become the last form."""
    if isinstance(value, str):
        return {key: value}
    if isinstance(value, Mapping) and key not in value and len(value) == 1:
        name, options = next(iter(value.items()))
        if name == "union" and isinstance(options, list):
            options = {"parts": options}
        return {key: name, "options": options or {}}
    return value


class Entry(Value):
    """A method of a study, with what differs for it."""

    method: str
    options: dict[str, Any] = {}
    label: str | None = None
    budgets: Annotated[tuple[Budget, ...], Listed] | None = None
    recipe: dict[str, Any] = {}
    tune: Axes | None = None  # in place of the study's


class Rule(Value):
    """`set` acts on the trials that match every key of `when`, in the order of the rules; `drop` removes them."""

    when: dict[str, Any]
    set: dict[str, Any] = {}
    drop: bool = False

    @model_validator(mode="after")
    def _acts(self) -> Rule:
        if self.drop == bool(self.set):
            raise ValueError("a rule has either `set` with values or `drop: true`")
        return self


class Precision(Value):
    """As many seeds for each cell as give an interval of this width, by Stein's two-stage procedure (`precision/`)."""

    first: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 8  # seeds 0, 1, ... of the pilot
    width: Annotated[float, Field(gt=0)]  # half of the 95 % interval, in points of Rank-1 on test
    most: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 40  # seeds of a cell
    of: Literal["mean", "difference"] = "mean"
    to: str | None = None  # label of the method that all others are compared with


def kind_of_seeds(value: Any) -> str:
    """Whether seeds are listed or found; in brackets, so that no fault has it in its key."""
    return "[found]" if isinstance(value, Mapping | Precision) else "[listed]"


# A list of seeds, or how their number is found.
Seeds = Annotated[
    Annotated[Annotated[tuple[Seed, ...], Listed, Field(min_length=1)], Tag("[listed]")]
    | Annotated[Precision, Tag("[found]")],
    Discriminator(kind_of_seeds),
]


class Tuning(Value):
    """How values of `tune` are chosen: on val, with seeds of their own, the same number of trials for each method."""

    trials: Annotated[int, Field(ge=1)] | Literal["all"] = "all"  # points for each choice; fewer than all are drawn
    seeds: Annotated[tuple[Seed, ...], Listed, Field(min_length=1)] = (100,)
    per: Annotated[tuple[Literal["method", "budget", "dataset"], ...], Listed] = ("method", "dataset")
    prune: Literal["none", "asha"] = "none"

    @field_validator("trials", mode="before")
    @classmethod
    def _no_flag(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("a number of trials, or `all`")
        return value
