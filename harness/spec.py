"""Studies and trials: YAML in, frozen values out.

A study names methods, budgets, data sets and seeds; `Study.trials` is their product. Reading is strict: unknown keys,
duplicate keys, wrong types and unknown names are all reported in one pass, with line numbers. This module imports
neither torch nor ray.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from harness import registry
from harness.document import line_of, put, read
from harness.document import value as scalar
from harness.errors import UserError, nearest
from harness.recipe import RECIPES, Recipe, Value

Selection = Literal["val", "last", "test-oracle"]
Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


def _named(value: Any, key: str) -> Any:
    """`lora`, `{lora: {rank: 8}}` and `{method: lora, options: {rank: 8}}` all become the last form."""
    if isinstance(value, str):
        return {key: value}
    if isinstance(value, Mapping) and key not in value and len(value) == 1:
        name, options = next(iter(value.items()))
        if name == "union" and isinstance(options, list):
            options = {"parts": options}
        return {key: name, "options": options or {}}
    return value


class Data(Value):
    """A data set by name, with the options of its loader (`root` names its folder)."""

    dataset: str
    options: dict[str, Any] = {}


class Backbone(Value):
    """A backbone; see `harness.weights.Source`."""

    name: str = "ViT-B-16"
    pretrained: str | None = None
    image: Annotated[tuple[int, int], Listed] | None = None
    resize: Literal["bilinear", "bicubic"] = "bilinear"
    activation: Literal["auto", "gelu", "quick_gelu"] = "auto"


class Entry(Value):
    """A method of a study, with what differs for it."""

    method: str
    options: dict[str, Any] = {}
    label: str | None = None
    budgets: Annotated[tuple[str | int | None, ...], Listed] | None = None
    recipe: dict[str, Any] = {}


class Rule(Value):
    """`set` acts on the trials that match every key of `when`, in the order of the rules."""

    when: dict[str, Any]
    set: dict[str, Any]


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
    seed: int
    device: str
    threads: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, every default written out."""
        return json.loads(self.model_dump_json())


class Study(Value):
    """A question, and the grid of trials that answers it."""

    name: Name
    question: str = ""
    note: str = ""
    backbone: Annotated[Backbone, BeforeValidator(lambda v: {"name": v} if isinstance(v, str) else v)]
    datasets: Annotated[tuple[Data, ...], Listed]
    methods: Annotated[tuple[Entry, ...], Listed]
    budgets: Annotated[tuple[str | int | None, ...], Listed] = (None,)
    budget_mode: Literal["params", "flops", "memory"] = "params"  # of budgets that do not name theirs
    seeds: Annotated[tuple[int, ...], Listed] = (0,)
    recipe: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    zip: dict[str, list[Any]] = {}
    rules: Annotated[tuple[Rule, ...], Listed] = ()
    selection: Selection = "val"
    evaluate_on: Annotated[tuple[Data, ...], Listed] = ()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1)] = 1

    @field_validator("datasets", "evaluate_on", mode="before")
    @classmethod
    def _data(cls, value: Any) -> Any:
        return tuple(_named(item, "dataset") for item in value) if isinstance(value, list | tuple) else value

    @field_validator("methods", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        return tuple(_named(item, "method") for item in value) if isinstance(value, list | tuple) else value

    @field_validator("zip")
    @classmethod
    def _equal(cls, value: dict[str, list[Any]]) -> dict[str, list[Any]]:
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

    def trials(self) -> list[Trial]:
        """The grid: data sets x methods x budgets x grid x zip x seeds, equal trials once, rules applied."""
        unique: dict[str, Trial] = {}
        for trial in self._product():
            unique.setdefault(trial.model_dump_json(), trial)
        return list(unique.values())

    def _product(self) -> Iterator[Trial]:
        axes = [[(key, value) for value in values] for key, values in self.grid.items()]
        rows = list(zip(*([(k, v) for v in values] for k, values in self.zip.items()), strict=True)) or [()]
        for data, entry in itertools.product(self.datasets, self.methods):
            budgets = entry.budgets if entry.budgets is not None else self.budgets
            for budget, point, row, seed in itertools.product(budgets, itertools.product(*axes), rows, self.seeds):
                chosen = dict([*point, *row])
                points = [f"{k.rsplit('.', 1)[-1]}={v}" for k, v in chosen.items()]
                base = {
                    "method": entry.method,
                    "options": dict(entry.options),
                    "label": " ".join([entry.label or Path(entry.method).stem, *points]),
                    "budget": _budget(None if budget is None else str(budget), self.budget_mode),
                    "dataset": data.model_dump(),
                    "backbone": self.backbone.model_dump(),
                    "recipe": {**self.recipe, **entry.recipe},
                    "selection": self.selection,
                    "evaluate_on": tuple(d.model_dump() for d in self.evaluate_on),
                    "seed": seed,
                    "device": self.device,
                    "threads": self.threads,
                }
                for key, value in chosen.items():
                    put(base, key, value)
                for rule in self.rules:
                    if all(_matches(base, key, value) for key, value in rule.when.items()):
                        for key, value in rule.set.items():
                            put(base, key, value)
                yield Trial(**{**base, "recipe": recipe(base["recipe"])})


def recipe(given: Mapping[str, Any]) -> Recipe:
    """A recipe from a name and what differs from it."""
    name = given.get("name", "default")
    if name not in RECIPES:
        raise ValueError(f"unknown recipe '{name}', known are {', '.join(RECIPES)}")
    return Recipe(**{**RECIPES[name], **given, "name": name})


def _matches(base: Mapping[str, Any], path: str, wanted: Any) -> bool:
    value: Any = base
    for part in ("dataset.dataset" if path == "dataset" else path).split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value in wanted if isinstance(wanted, list) else value == wanted


def _budget(text: str | None, mode: str) -> str | None:
    plain = not text or mode == "params" or text.split()[0] in ("params", "flops", "memory")
    return text if plain else f"{mode} {text}"


def load(
    path: str | Path,
    settings: Mapping[str, str] | None = None,
    check: Callable[[Entry], list[str]] | None = None,
) -> Study:
    """Read a study.

    Args:
        path: A YAML file (version 1.2, so `no` is text and `1e-3` a number); `extends:` names another one beside it.
        settings: Dotted keys and YAML values that replace what the file says.
        check: Faults of a method's options, one line each; they are reported with the others.

    Raises:
        UserError: all faults of the file, one per line.
    """
    path = Path(path)
    tree, lines = read(path)
    for key, text in (settings or {}).items():
        put(tree, key, scalar(text))
        lines[tuple(key.split("."))] = "--set " + key
    tree |= {"methods": registry.rooted(tree["methods"], path.parent)} if "methods" in tree else {}
    faults: list[tuple[tuple, str]] = []
    study = None
    try:
        study = Study(**tree)
    except ValidationError as error:
        faults += [_fault(part) for part in error.errors()]
    except UserError as error:
        faults.append(((), str(error)))
    faults += _unknown_names(tree)
    for place, entry in _entries(tree):
        for kind, problem in _problems(entry, check):
            faults.append(((*place, kind), problem))
    if not faults and study is not None:
        try:
            study.trials()
        except (ValidationError, ValueError) as error:
            parts = error.errors() if isinstance(error, ValidationError) else [{"loc": (), "msg": str(error)}]
            faults += [_fault(part) for part in parts]
    if faults:
        shown = {f"{line_of(path, lines, place)}: {text}": line_of(path, lines, place) for place, text in faults}
        raise UserError("\n".join(sorted(shown, key=lambda row: _number(shown[row]))))
    return study


def _number(line: str) -> int:
    last = line.rsplit(":", 1)[-1]
    return int(last) if last.isdigit() else 0


def _entries(tree: Mapping[str, Any]) -> Iterator[tuple[tuple, Entry]]:
    methods = tree.get("methods")
    for index, item in enumerate(methods if isinstance(methods, list) else []):
        try:
            yield ("methods", index), Entry(**_named(item, "method"))
        except (ValidationError, TypeError):
            continue


def _problems(entry: Entry, check: Callable[[Entry], list[str]] | None) -> Iterator[tuple[str, str]]:
    known = entry.method in registry.names("methods") or Path(entry.method).is_file()
    if known and check is not None:
        yield from (("options", problem) for problem in check(entry))
    try:
        recipe(entry.recipe)
    except ValidationError as error:
        yield from (("recipe", ": ".join(_fault(part)[1:])) for part in error.errors())
    except ValueError as error:
        yield "recipe", str(error)


def _unknown_names(tree: Mapping[str, Any]) -> Iterator[tuple[tuple, str]]:
    for kind, key, lists in (("methods", "method", ["methods"]), ("datasets", "dataset", ["datasets", "evaluate_on"])):
        for name in lists:
            for index, item in enumerate(tree.get(name) or []):
                named = _named(item, key)
                value = named.get(key) if isinstance(named, Mapping) else None
                if isinstance(value, str):
                    try:
                        registry.source(kind, value)
                    except UserError as error:
                        yield (name, index), str(error)


def _fault(error: Mapping[str, Any]) -> tuple[tuple, str]:
    """Place and sentence of one fault that pydantic found."""
    place = tuple(part for part in error["loc"] if not (isinstance(part, str) and "[" in part))
    key = ".".join(str(part) for part in place)
    if error.get("type") == "extra_forbidden":
        fields = {**Study.model_fields, **Entry.model_fields, **Recipe.model_fields, **Backbone.model_fields}
        near = nearest(str(place[-1]), fields)
        return place, f"unknown key '{key}'" + (f"; did you mean {near}?" if near else "")
    if error.get("type") == "missing":
        return place[:-1], f"key '{key}' is missing"
    got = f", got {error['input']!r} ({type(error['input']).__name__})" if "input" in error else ""
    return place, f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}{got[:120]}"
