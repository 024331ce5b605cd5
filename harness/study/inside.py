"""What data sets and budgets themselves say of a study's values. Importing this loads torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness import registry
from harness.adaptation import budget
from harness.errors import UserError
from harness.study import suites
from harness.study.faults import Fault
from harness.study.values import named
from harness.trial import splits
from harness.trial.spec import Data, Trial


def of_data(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Options that a data set has not or cannot read."""
    for place in ("datasets", "evaluate_on"):
        items = tree.get(place)
        for index, item in enumerate(items if isinstance(items, list) else []):
            given = named(item, "dataset")
            name = given.get("dataset") if isinstance(given, Mapping) else None
            options = given.get("options", {}) if isinstance(given, Mapping) else None
            if name in registry.names("datasets") and isinstance(options, Mapping):
                inner = () if isinstance(item, str) else (name,) if name in item else ("options",)
                if place == "evaluate_on":  # what is wrong with a group of shifts is told where it is spread
                    told = (*suites.KEYS, "shift_seed") if "shifts" in options else suites.KEYS
                    options = {key: value for key, value in options.items() if key not in told}
                found = [(key, text) for key, value in options.items() for text in _said(str(name), {key: value})]
                yield from (((place, index, *inner, key), text) for key, text in found)
                if not found:
                    yield from (((place, index, *inner), text) for text in _said(str(name), options, whole=True))


def of_budgets(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Budgets that cannot be read."""
    methods = tree.get("methods")
    places: list[tuple[tuple[Any, ...], Any]] = [(("budgets",), tree.get("budgets"))]
    for index, item in enumerate(methods if isinstance(methods, list) else []):
        if isinstance(item, Mapping) and "method" in item:
            places.append((("methods", index, "budgets"), item.get("budgets")))
    for name in ("grid", "zip"):
        axes = tree.get(name)
        places.append(((name, "budget"), axes.get("budget") if isinstance(axes, Mapping) else None))
    for place, values in places:
        for at, value in enumerate(values if isinstance(values, list) else []):
            if isinstance(value, str | int) and not isinstance(value, bool):
                try:
                    budget.parse(value)
                except UserError as error:
                    yield (*place, at), str(error)


def of_trials(trials: Iterable[Trial]) -> Iterator[Fault]:
    """Data sets of trials, as grid and rules leave them."""
    seen: set[str] = set()
    for trial in trials:
        for data in (trial.dataset, *trial.evaluate_on):
            if (text := json.dumps(data.model_dump(), sort_keys=True)) not in seen:
                seen.add(text)
                for problem in _of(data):
                    yield (), f"trial {trial.label}: {problem}"


def _of(data: Data) -> list[str]:
    try:
        registry.source("datasets", data.dataset)
    except UserError as error:
        return [str(error)]
    return _said(data.dataset, data.options, whole=True)


def _said(name: str, options: Mapping[str, Any], whole: bool = False) -> list[str]:
    try:
        splits.check(name, options, whole)
    except UserError as error:
        return [str(error)]
    return []
