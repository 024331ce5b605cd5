"""A study: a question, and the grid of trials that answers it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from harness.study import suites
from harness.study.values import Axes, Budget, Entry, Name, Precision, Rule, Seeds, Tuning, named
from harness.training.recipe import Value
from harness.trial.spec import Backbone, Data, Device, Keep, Listed, Selection, Threads, recipe


class Study(Value):
    """A question, and the grid of trials that answers it."""

    name: Name
    question: str = ""
    note: str = ""
    backbone: Annotated[Backbone, BeforeValidator(lambda v: {"name": v} if isinstance(v, str) else v)]
    datasets: Annotated[tuple[Data, ...], Listed, Field(min_length=1)]
    methods: Annotated[tuple[Entry, ...], Listed, Field(min_length=1)]
    budgets: Annotated[tuple[Budget, ...], Listed] = (None,)
    budget_mode: Literal["params", "flops", "memory"] = "params"  # of budgets that do not name theirs
    seeds: Seeds = (0,)
    recipe: dict[str, Any] = {}
    grid: Axes = {}
    zip: Axes = {}
    tune: Axes = {}
    tuning: Tuning = Tuning()
    rules: Annotated[tuple[Rule, ...], Listed, Field(max_length=1000)] = ()
    selection: Selection = "val"
    evaluate_on: Annotated[tuple[Data, ...], Listed, Field(max_length=1000)] = ()
    keep: Keep = "adapters"
    device: Device = "auto"
    threads: Threads = 1

    @field_validator("datasets", mode="before")
    @classmethod
    def _data(cls, value: Any) -> Any:
        return tuple(named(item, "dataset") for item in value) if isinstance(value, list | tuple) else value

    @field_validator("evaluate_on", mode="before")
    @classmethod
    def _measured_on(cls, value: Any) -> Any:
        return tuple(suites.spread(value)) if isinstance(value, list | tuple) else value

    @field_validator("methods", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        return tuple(named(item, "method") for item in value) if isinstance(value, list | tuple) else value

    @field_validator("zip")
    @classmethod
    def _equal(cls, value: Axes) -> Axes:
        if len({len(values) for values in value.values()}) > 1:
            raise ValueError("lists of one length, one value per trial")
        return value

    @field_validator("recipe")
    @classmethod
    def _recipe(cls, value: dict[str, Any]) -> dict[str, Any]:
        recipe(value)
        return value

    @property
    def document(self) -> dict[str, Any]:
        """The study as plain JSON values."""
        return json.loads(self.model_dump_json())

    @property
    def precision(self) -> Precision | None:
        """How the number of seeds is found; None where they are listed."""
        return self.seeds if isinstance(self.seeds, Precision) else None

    @property
    def certain(self) -> tuple[int, ...]:
        """Seeds that every cell has: those listed, or those of the pilot."""
        return tuple(range(self.seeds.first)) if isinstance(self.seeds, Precision) else self.seeds

    @property
    def possible(self) -> tuple[int, ...]:
        """Seeds that a cell may have."""
        return tuple(range(self.seeds.most)) if isinstance(self.seeds, Precision) else self.seeds

    @property
    def tuned(self) -> bool:
        """Whether any value is to be chosen by a search."""
        return any(self.axes(entry) for entry in self.methods)

    def axes(self, entry: Entry) -> Axes:
        """What is searched for a method: its own `tune`, else the study's."""
        return self.tune if entry.tune is None else entry.tune
