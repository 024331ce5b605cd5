"""What can be wrong with a study: each fault with its place in the file, in one sentence.

Nothing here looks at data or weights; what a method says of its options comes in as a function.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness import paths, registry
from harness.errors import UserError, brief, nearest
from harness.study import grid as grids
from harness.study.study import Study
from harness.study.values import Entry, Precision, Rule, Tuning, named
from harness.training.recipe import Recipe
from harness.trial.spec import Backbone, Setting, Trial, recipe

MOST = 100  # faults that are told of a file
Place = tuple[Any, ...]  # keys and indices
Fault = tuple[Place, str]  # place in the file, sentence
Check = Callable[[str, Mapping[str, Any]], list[str]]  # method, options -> faults
KINDS = (Study, Entry, Recipe, Backbone, Rule, Tuning, Precision)
FIELDS: dict[str, type[BaseModel]] = {"recipe": Recipe, "backbone": Backbone}
SETTABLE = ("options", "recipe", "backbone", "dataset", "budget", "selection", "label", "device", "threads")
SEARCHED = ("options", "recipe", "backbone")


def of_value(error: Mapping[str, Any], before: tuple = ()) -> Fault:
    """Place and sentence of one fault that pydantic found; with the value's parsed type."""
    place = tuple(part for part in error["loc"] if not (isinstance(part, str) and ("[" in part or part == "str")))
    key = brief(".".join(str(part) for part in (*before, *place)))
    if error.get("type") == "extra_forbidden":
        near = nearest(str(place[-1]), {name: None for kind in KINDS for name in kind.model_fields})
        return (*before, *place), f"unknown key '{key}'" + (f"; did you mean {near}?" if near else "")
    if error.get("type") == "missing":
        return (*before, *place[:-1]), f"key '{key}' is missing"
    got = f", got {error['input']!r} ({type(error['input']).__name__})" if "input" in error else ""
    near = None
    if error.get("type") == "literal_error" and isinstance(error["input"], str):
        near = nearest(error["input"], re.findall(r"'([^']+)'", error["ctx"]["expected"]))
    text = error["msg"].removeprefix("Value error, ")
    told = f"{key}: {text[:1].lower()}{text[1:]}{got[:120]}"
    return (*before, *place), told + (f"; did you mean {near}?" if near else "")


def of_values(error: ValidationError, before: tuple = ()) -> list[Fault]:
    """Every fault that pydantic found, but not that a list is too short whose items are at fault themselves."""
    found = error.errors()[:MOST]
    inner = {part["loc"][:end] for part in found for end in range(len(part["loc"]))}
    return [of_value(part, before) for part in found if part["type"] != "too_short" or part["loc"] not in inner]


def of_names(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Methods and data sets that nothing has the name of."""
    for kind, key, lists in (("methods", "method", ["methods"]), ("datasets", "dataset", ["datasets", "evaluate_on"])):
        for name in lists:
            items = tree.get(name)
            for index, item in enumerate(items if isinstance(items, list) else []):
                given = named(item, key)
                value = given.get(key) if isinstance(given, Mapping) else None
                if isinstance(value, str) and (problem := _unknown(kind, value)):
                    yield (name, index), problem


def of_entries(tree: Mapping[str, Any], check: Check | None) -> Iterator[Fault]:
    """Options and recipes of single methods."""
    for index, entry, item in _entries(tree):
        place = ("methods", index)
        if check is not None and _known(entry):
            for problem in check(entry.method, entry.options):
                yield (*place, *_option(entry, item, problem)), problem
        try:
            recipe(entry.recipe)
        except ValidationError as error:
            yield from of_values(error, (*place, "recipe"))
        except ValueError as error:
            yield (*place, "recipe"), str(error)


def of_axes(tree: Mapping[str, Any], check: Check | None) -> Iterator[Fault]:
    """Dotted keys and their values, wherever a study has them: grid, zip, tune, rules."""
    entries = [entry for _, entry, _ in _entries(tree)]
    axes: list[tuple[Place, list[Entry], tuple[str, ...]]] = [((name,), entries, SETTABLE) for name in ("grid", "zip")]
    axes.append((("tune",), [entry for entry in entries if entry.tune is None], SEARCHED))
    axes += [(("methods", i, "tune"), [entry], SEARCHED) for i, entry, _ in _entries(tree) if entry.tune is not None]
    for place, concerned, first in axes:
        for key, values in _mapping(tree, place).items():
            if problem := _path(key, first):
                yield (*place, key), problem
            elif isinstance(values, list):
                if not values or _twice(values):
                    yield (*place, key), f"{key}: " + ("a value is given twice" if values else "no values")
                    continue
                for at, value in enumerate(values):
                    yield from (((*place, key, at), text) for text in _value(key, value, concerned, check))
    rules = tree.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        yield from _rule(("rules", index), rule if isinstance(rule, Mapping) else {}, entries, check)


def of_study(study: Study) -> Iterator[Fault]:
    """What does not go together."""
    keys = {name: set(getattr(study, name)) for name in ("grid", "zip")}
    keys["rules"] = {key for rule in study.rules for key in rule.set}
    for key in sorted(keys["grid"] & keys["zip"]):
        yield ("zip", key), f"{key} is in grid and in zip"
    if study.precision is not None:
        yield from _precision(study, study.precision)
    searched: list[tuple[Place, Mapping[str, Any]]] = [(("tune",), study.tune)]
    searched += [(("methods", i, "tune"), e.tune) for i, e in enumerate(study.methods) if e.tune is not None]
    for place, axes in searched:
        for key in axes:
            for other, words in (("grid", "in grid"), ("zip", "in zip"), ("rules", "set by a rule")):
                if key in keys[other]:
                    yield (*place, key), f"{key} is searched and {words}"
    if not study.tuned:
        if "tuning" in study.model_fields_set:
            yield ("tuning",), "tuning: nothing is to be chosen; expected tune: {recipe.lr: [1e-4, 1e-3, 1e-2]}"
        return
    if both := sorted(set(study.possible) & set(study.tuning.seeds)):
        yield (
            ("tuning", "seeds") if "seeds" in study.tuning.model_fields_set else ("seeds",),
            f"seed {both[0]} is of the search and of the study; expected seeds for the search that the study has not",
        )
    wanted = study.tuning.trials
    for entry in study.methods:
        size = 1
        for values in study.axes(entry).values():
            size *= len(values)
        if wanted != "all" and study.axes(entry) and wanted > size:
            name = entry.label or Path(entry.method).stem
            yield ("tuning", "trials"), f"{wanted} trials are asked for, {name} has {size}"


def _precision(study: Study, asked: Precision) -> Iterator[Fault]:
    if asked.most < asked.first:
        yield ("seeds", "most"), f"seeds.most: expected at least as many as first, {asked.first}, got {asked.most}"
    if asked.of == "difference" and asked.to is None:
        yield ("seeds", "of"), "seeds.of: a difference is to a method of the study; expected to: LABEL beside it"
    if asked.of == "mean" and asked.to is not None:
        yield ("seeds", "to"), f"seeds.to: it goes with of: difference, got {brief(repr(asked.to))} with of: mean"
    elif asked.to is not None and asked.to not in (known := grids.names(study)):
        near = nearest(asked.to, known)
        words = f"seeds.to: no method of the study has the label {brief(repr(asked.to))}"
        yield ("seeds", "to"), words + (f"; did you mean {near}?" if near else f"; known are {', '.join(known)}")
    for index, rule in enumerate(study.rules):
        if "seed" in rule.when:
            yield ("rules", index, "when", "seed"), "a rule tells seeds apart, which have to be alike to be counted"


def of_trials(study: Study, seen: Callable[[Iterable[Trial]], Iterable[Fault]] | None = None) -> Iterator[Fault]:
    """Values that do not go together in a trial, which is named; and what `seen` finds in the trials."""
    misfits: list[tuple[str, Exception]] = []
    trials = (spot.trial for spot in grids.spread(study, study.certain[:1], misfits=misfits))
    if seen is not None:
        yield from seen(trials)
    deque(trials, maxlen=0)
    if study.tuned:
        searched = grids.spread(
            study,
            study.tuning.seeds[:1],
            lambda cell: grids.points(study, study.methods[cell.entry]),
            "tuning",
            misfits,
        )
        deque(searched, maxlen=0)
    for label, error in misfits:
        if isinstance(error, ValidationError):
            for _, text in of_values(error):
                yield (), f"trial {brief(label)}: {text.removeprefix(': ')}"
        else:
            yield (), f"trial {brief(label)}: {error}"


def _rule(place: tuple, rule: Mapping[str, Any], entries: Sequence[Entry], check: Check | None) -> Iterator[Fault]:
    when, then = _mapping(rule, ("when",)), _mapping(rule, ("set",))
    for key, wanted in when.items():
        if problem := _path(key, (*SETTABLE, "method", "seed")):
            yield (*place, "when", key), problem
        for kind, name in (("methods", "method"), ("datasets", "dataset")):
            for value in wanted if isinstance(wanted, list) else [wanted]:
                used = kind == "methods" and value in [entry.method for entry in entries]
                if key == name and not used and (problem := _unknown(kind, str(value))):
                    yield (*place, "when", key), problem
    concerned = [e for e in entries if _met(when.get("method"), e.method) and _met(when.get("label"), e.label)]
    for key, value in then.items():
        if problem := _path(key, SETTABLE):
            yield (*place, "set", key), problem
        else:
            yield from (((*place, "set", key), text) for text in _value(key, value, concerned, check))


def _value(key: str, value: Any, entries: Sequence[Entry], check: Check | None) -> Iterator[str]:
    """Faults of one value at a dotted key."""
    first, _, rest = key.partition(".")
    if key == "recipe.name" and value not in (known := registry.names("recipes")):
        near = nearest(str(value), known)
        yield f"unknown recipe {value!r}, known are {', '.join(known)}" + (f"; did you mean {near}?" if near else "")
    elif first in FIELDS and "." not in rest:
        try:
            FIELDS[first](**{rest: value})
        except ValidationError as error:
            # A value may be sound and only not go with the defaults of the others.
            yield from (text for place, text in of_values(error, (first,)) if place[1:2] == (rest,))
    elif first in Setting.model_fields and not rest:
        try:
            Setting(**{first: value})
        except ValidationError as error:
            yield from (text for _, text in of_values(error))
    elif first == "options" and rest and check is not None:
        for entry in entries:
            if _known(entry) and not check(entry.method, entry.options):
                options = grids.with_values({"options": entry.options}, {key: value})["options"]
                yield from check(entry.method, options)


def _path(key: str, first: Sequence[str]) -> str | None:
    """Why a dotted key leads nowhere."""
    head, _, rest = str(key).partition(".")
    if head not in first:
        known = {name: None for name in first}
        near = f"recipe.{key}" if key in Recipe.model_fields else nearest(head, known)
        return f"'{key}' cannot stand here; expected one that begins with {', '.join(first)}" + (
            f"; did you mean {near}?" if near else ""
        )
    if head in ("options", *FIELDS) and not rest:
        return f"'{key}' is no value; expected a dotted key like recipe.lr or options.rank"
    name = rest.split(".", 1)[0]
    if head in FIELDS and name not in FIELDS[head].model_fields:
        near = nearest(name, FIELDS[head].model_fields)
        return f"unknown key '{key}'" + (f"; did you mean {head}.{near}?" if near else "")
    return None


def _entries(tree: Mapping[str, Any]) -> Iterator[tuple[int, Entry, Any]]:
    methods = tree.get("methods")
    for index, item in enumerate(methods if isinstance(methods, list) else []):
        try:
            yield index, Entry(**named(item, "method")), item
        except (ValidationError, TypeError):
            continue


def _option(entry: Entry, item: Any, problem: str) -> tuple:
    """Where in its entry the option stands that a fault names."""
    key = next((key for key in entry.options if re.search(rf"(?<!\w){re.escape(str(key))}(?!\w)", problem)), None)
    before = ("options",) if isinstance(item, Mapping) and "method" in item else (entry.method,)
    return before if key is None else (*before, key)


def _known(entry: Entry) -> bool:
    return entry.method in registry.names("methods") or paths.is_file(entry.method)


def _unknown(kind: str, name: str) -> str | None:
    try:
        registry.source(kind, name)
    except UserError as error:
        return str(error)
    return None


def _twice(values: Sequence[Any]) -> bool:
    """Whether a value is given twice; mappings and lists are compared as JSON."""
    plain = [json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value for value in values]
    return len(set(plain)) < len(plain)


def _met(wanted: Any, value: Any) -> bool:
    return wanted is None or value in (wanted if isinstance(wanted, list) else [wanted])


def _mapping(tree: Any, place: tuple) -> Mapping[str, Any]:
    for part in place:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return tree if isinstance(tree, Mapping) else {}
