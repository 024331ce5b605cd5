"""From a study to its trials: data sets x methods x budgets x grid x zip x points x seeds, with the rules applied."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError, brief
from harness.labels import labels
from harness.study.study import Study
from harness.study.values import Entry
from harness.study.yaml import put
from harness.trial.spec import Trial, recipe

Point = dict[str, Any]  # dotted key -> value


@dataclass(frozen=True)
class Cell:
    """What trials share that differ in seed and tuned values alone.

    Attributes:
        entry: Index of the method in the study.
        label: With the grid's point.
        budget: As the trial has it.
        dataset: Trained on, as text that tells options apart.
    """

    entry: int
    label: str
    budget: str | None
    dataset: str


@dataclass(frozen=True)
class Spot:
    """A trial and where it stands."""

    cell: Cell
    point: Point
    trial: Trial


def trials(study: Study) -> list[Trial]:
    """The grid: data sets x methods x budgets x grid x zip x seeds, equal trials once, rules applied.

    Of seeds whose number is found, those of the pilot. Values that are still to be chosen by a search have
    those of the recipe.
    """
    unique: dict[str, Trial] = {}
    for spot in spread(study, study.certain):
        unique.setdefault(spot.trial.model_dump_json(), spot.trial)
    return list(unique.values())


def spread(
    study: Study,
    seeds: Sequence[int],
    points: Callable[[Cell], Sequence[Point]] = lambda cell: ({},),
    phase: str | None = None,
    misfits: list[tuple[str, Exception]] | None = None,
) -> Iterator[Spot]:
    """Every trial of a study in order, those that a rule drops left out.

    Args:
        seeds: Innermost axis.
        points: Tuned values to set in a cell; the axis around the seeds.
        phase: "tuning": on val alone, and with the point in the label.
        misfits: Takes in labels and faults of trials whose values do not go together; without it the first is raised.

    Raises:
        UserError: values that do not go together, with the trial's label.
    """
    axes = [[(key, value) for value in values] for key, values in study.grid.items()]
    said = names(study)
    rows = list(zip(*([(k, v) for v in values] for k, values in study.zip.items()), strict=True)) or [()]
    for data, (index, entry) in itertools.product(study.datasets, enumerate(study.methods)):
        budgets = entry.budgets if entry.budgets is not None else study.budgets
        for budget, place, row in itertools.product(budgets, itertools.product(*axes), rows):
            base: dict[str, Any] = {
                "method": entry.method,
                "options": entry.options,
                "label": _name(entry),
                "budget": _budget(None if budget is None else str(budget), study.budget_mode),
                "dataset": data.model_dump(),
                "backbone": study.backbone.model_dump(),
                "recipe": {**study.recipe, **entry.recipe},
                "selection": study.selection,
                "evaluate_on": tuple(d.model_dump() for d in study.evaluate_on),
                "keep": study.keep,
                "device": study.device,
                "threads": study.threads,
            }
            chosen = dict([*place, *row])
            base["label"] = labelled(base["label"], chosen)
            told = labelled(said[index], chosen)
            for seed in seeds:
                try:
                    bare, _ = _settled(study, {**base, "seed": seed}, chosen, told)
                except UserError as error:
                    if misfits is None:
                        raise
                    misfits.append((base["label"], error))
                    break
                cell = Cell(index, bare["label"], bare["budget"], str(bare["dataset"]))
                for point in points(cell):
                    label = labelled(bare["label"], point if phase else {})
                    try:
                        full, dropped = _settled(study, {**base, "seed": seed}, {**chosen, **point}, told)
                        if dropped:
                            continue
                        if phase:
                            full |= {"phase": phase, "selection": "val", "evaluate_on": ()}
                            full["label"] = label = labelled(full["label"], point)
                        trial = Trial(**{**full, "recipe": recipe(full["recipe"])})
                    except (ValueError, UserError) as error:
                        if misfits is None:
                            raise UserError(f"trial {brief(label)}: {' '.join(str(error).split())}") from error
                        misfits.append((label, error))
                        continue
                    yield Spot(cell, point, trial)


def names(study: Study) -> list[str]:
    """What the study's methods are called, each as it is labelled; equal ones with what tells them apart."""
    return labels([(_name(entry), _given(entry)) for entry in study.methods])


def _name(entry: Entry) -> str:
    return entry.label or Path(entry.method).stem


def _given(entry: Entry) -> dict[str, Any]:
    """All that an entry says beside its label and budgets, by dotted key; an option by its own name."""
    more = {f"{name}.{key}": v for name in ("recipe", "tune") for key, v in (getattr(entry, name) or {}).items()}
    return {"method": entry.method, **entry.options, **more}


def labelled(label: str, point: Mapping[str, Any]) -> str:
    """A label with the values that tell it from its neighbours."""
    return " ".join([label, *(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in point.items())])


def points(study: Study, entry: Entry) -> list[Point]:
    """What is tried for a method: all of its grid, or `tuning.trials` of it.

    Methods with lists of the same lengths get the same places in them, whatever else the study holds.
    """
    axes = study.axes(entry)
    if not axes:
        return []
    lengths = tuple(len(values) for values in axes.values())
    every, wanted = range(math.prod(lengths)), study.tuning.trials
    if wanted == "all" or wanted >= len(every):
        drawn: Sequence[int] = every
    else:
        drawn = sorted(random.Random(f"{lengths} {wanted}").sample(every, wanted))
    return [_point(axes, index) for index in drawn]


def _point(axes: Mapping[str, Sequence[Any]], index: int) -> Point:
    """One of all points in the order of `itertools.product`, in which the last key changes first."""
    found: Point = {}
    for key, values in reversed(list(axes.items())):
        index, at = divmod(index, len(values))
        found[key] = values[at]
    return {key: found[key] for key in axes}


def with_values(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested values with others set by their dotted keys."""
    full = copy.deepcopy(dict(base))
    for key, value in values.items():
        put(full, key, value)
    return full


def _settled(
    study: Study, base: Mapping[str, Any], values: Mapping[str, Any], told: str
) -> tuple[dict[str, Any], bool]:
    """A trial's values with the rules applied, and whether one of them drops it; rules match the label as it is
    written, and the trial has it as `told` unless one of them sets another."""
    full = with_values(base, values)
    dropped = False
    for rule in study.rules:
        if all(_matches(full, key, value) for key, value in rule.when.items()):
            dropped |= rule.drop
            for key, value in rule.set.items():
                put(full, key, value)
    if full["label"] == base["label"]:
        full["label"] = told
    return full, dropped


def idle(study: Study) -> list[int]:
    """Indices of the rules that match no trial."""
    if not study.rules:
        return []
    seen: set[int] = set()
    free, said = study.model_copy(update={"rules": ()}), names(study)
    tried: list[tuple[Sequence[int], Callable[[Cell], Sequence[Point]]]] = [(study.certain, lambda cell: ({},))]
    if study.tuned:
        tried.append((study.tuning.seeds, lambda cell: points(study, study.methods[cell.entry]) or ({},)))
    for seeds, of in tried:
        for spot in spread(free, seeds, of):
            # Rules act one after the other, and a later one may match what an earlier one set.
            full, at = spot.trial.model_dump(), spot.cell.entry
            full["label"] = _name(study.methods[at]) + full["label"].removeprefix(said[at])
            for index, rule in enumerate(study.rules):
                if all(_matches(full, key, value) for key, value in rule.when.items()):
                    seen.add(index)
                    full = with_values(full, rule.set)
    return [index for index in range(len(study.rules)) if index not in seen]


def _matches(base: Mapping[str, Any], path: str, wanted: Any) -> bool:
    value: Any = base
    for part in ("dataset.dataset" if path == "dataset" else path).split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value in wanted if isinstance(wanted, list) else value == wanted


def _budget(text: str | None, mode: str) -> str | None:
    plain = not text or mode == "params" or text.split()[0] in ("params", "flops", "memory")
    return text if plain else f"{mode} {text}"
