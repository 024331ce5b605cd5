"""Every trial that a study declares, whether it was run or not, and what sets it apart from the others."""

from __future__ import annotations

import functools
import json
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.statistics import Design
from reports.statistics.costs import COSTS, median

if TYPE_CHECKING:
    from harness.store.store import Results

SIZES = ("budget_parameters", "trained", "total", "share")


def remembered(function: Callable) -> Callable:
    """Keep what `function(results, ...)` gave for as long as `results` lives: every figure and table asks the same."""
    kept: dict[tuple, tuple[weakref.ref, object]] = {}

    @functools.wraps(function)
    def ask(results: Results, *args: object, **named: object) -> object:
        key = (id(results), args, tuple(sorted(named.items())))
        if key not in kept:
            made = function(results, *args, **named)
            kept[key] = (weakref.ref(results, lambda _: kept.pop(key, None)), made)
        return kept[key][1]

    return ask


@remembered
def declared(results: Results) -> pd.DataFrame:
    """One row per declared trial: its columns of `results.trials` where it was committed, status 'missing' where not.

    Trials of a search (`phase` tuning) are left out: their numbers are on val, and no result.
    Added columns: `trial` (the declared trial as leaves) and `variant`. The point of the study's grid, which the study
    writes behind the label, is part of the variant and not of the label.
    """
    frame = results.trials
    if "phase" in frame:
        frame = frame[frame["phase"].astype(object) != "tuning"].reset_index(drop=True)
    missing = [m for m in results.missing if m.get("phase") != "tuning"]
    if missing:
        absent = pd.DataFrame(
            [
                {
                    "id": m["id"],
                    "label": m.get("label") or m["method"],
                    "method": m["method"],
                    "budget": m.get("budget"),
                    "dataset": _dataset(m["dataset"]),
                    "seed": m["seed"],
                    "status": "missing",
                    "reason": m.get("why"),
                }
                for m in missing
            ]
        )
        frame = pd.concat([frame, absent.reindex(columns=frame.columns).astype(object)], ignore_index=True)
    frame = frame.astype({"budget": object}).copy()
    frame["budget"] = frame["budget"].where(frame["budget"].notna(), "")
    specs = {t["id"]: t.get("trial") or {} for t in results.study.get("trials", [])}
    given: list[dict[str, object]] = [
        leaves(specs.get(ident) or (json.loads(spec) if isinstance(spec, str) else {}))
        for ident, spec in zip(frame["id"], frame.get("spec", [None] * len(frame)), strict=True)
    ]
    frame["trial"] = pd.Series(given, index=frame.index, dtype=object)
    document = results.study.get("study") or {}
    grid = [*(document.get("grid") or {}), *(document.get("zip") or {})]
    if grid:
        frame["label"] = [text.split(f" {short(grid[0])}=", 1)[0] for text in frame["label"]]
    frame["variant"] = [
        tuple(pair for pair in variant if pair[0] not in _told(results, place))
        for variant, place in zip(_variants(frame, grid), frame["dataset"], strict=True)
    ]
    return frame


@remembered
def groups(results: Results) -> list[tuple[dict, list[str], list[int]]]:
    """Per cell: what its trials share, their ids and their seeds, by rising seed."""
    trials = declared(results)
    trials = trials.iloc[np.argsort(trials["seed"].to_numpy(int), kind="stable")]
    columns = {name: pd.to_numeric(trials[name], errors="coerce").to_numpy(float) for name in (*SIZES, *COSTS)}
    ids, seeds, given = trials["id"].to_numpy(), trials["seed"].to_numpy(int), trials["trial"].to_numpy(object)
    statuses, reasons = trials["status"].to_numpy(), trials["reason"].to_numpy()
    vals, searches = trials["val_source"].to_numpy(object), trials["tuned"].to_numpy(object)
    keys = list(zip(*(trials[name] for name in ("label", "method", "budget", "dataset", "variant")), strict=True))
    at: dict[tuple, list[int]] = {}
    for i, key in enumerate(keys):
        at.setdefault(key, []).append(i)
    found = []
    for (label, method, budget, dataset, variant), rows in at.items():
        sizes = {name: median(columns[name][rows]) for name in SIZES}
        whole = {name: None if value is None else round(value) for name, value in sizes.items()}
        shared = {
            "label": label,
            "method": method,
            "budget": budget or None,
            "dataset": dataset,
            "variant": variant,
            "target": whole["budget_parameters"],
            "trained": whole["trained"],
            "total": whole["total"],
            "share": sizes["share"],
            "heads": sum(size for key, size in given[rows[0]].items() if key.startswith("heads.")),
            "statuses": tuple(statuses[rows]),
            "reasons": tuple(dict.fromkeys(r for r in reasons[rows] if isinstance(r, str))),
            "costs": {name: COSTS[name](columns[name][rows]) for name in COSTS},
            "val": next((v for v in vals[rows] if isinstance(v, str) and v != "official"), None),
            "tuned": next((json.loads(v) for v in searches[rows] if isinstance(v, str)), None),
        }
        found.append((shared, ids[rows].tolist(), seeds[rows].tolist()))
    return found


def design_of(results: Results) -> Design | None:
    """How the study finds its number of seeds; None where they are listed."""
    seeds = (results.study.get("study") or {}).get("seeds")
    return Design(**seeds) if isinstance(seeds, dict) else None


def _told(results: Results, place: str) -> set[str]:
    """Keys of a trial that the label of what it was trained on tells already."""
    on = results.measured_on.get(place)
    return set() if on is None or place == on.name else {f"dataset.options.{key}" for key, _ in on.options}


def short(key: str) -> str:
    """The last part of a dotted key."""
    return key.rsplit(".", 1)[-1]


def text(value: object) -> str:
    """An option's value as people write it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ",".join(str(v) for v in value)
    return str(value)


def leaves(value: object, at: str = "") -> dict[str, object]:
    """A nested dict as {'recipe.lr': 0.001, ...}; lists are leaves."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in leaves(part, f"{at}.{key}" if at else key).items()}
    if isinstance(value, list):
        plain = not any(isinstance(part, dict | list) for part in value)
        return {at: tuple(value) if plain else json.dumps(value, sort_keys=True)}
    return {at: value}


def _dataset(value: object) -> str:
    return value["name"] if isinstance(value, dict) else str(value)


def _variants(frame: pd.DataFrame, grid: Sequence[str]) -> list[tuple]:
    """Per row: the keys of the grid, and those leaves of its trial, other than the seed, that differ among trials it
    would otherwise be averaged with. A key that some trials lack differs, too: an option left at its default. What a
    search chose for each of them follows from their difference, and does not count."""
    points = [tuple((k, trial[k]) for k in grid if k in trial) for trial in frame["trial"]]
    groups = list(zip(frame["label"], frame["budget"], frame["dataset"], points, strict=True))
    seen: dict[tuple, dict[str, set]] = {}
    sizes: Counter[tuple] = Counter()
    having: dict[tuple, Counter[str]] = {}
    for group, trial in zip(groups, frame["trial"], strict=True):
        known = seen.setdefault(group, {})
        sizes[group] += bool(trial)
        having.setdefault(group, Counter()).update(trial.keys())
        for key, value in trial.items():
            known.setdefault(key, set()).add(value)
    ignored = {"seed", "id", "label", "phase", *grid}
    varying = {
        group: sorted(
            key
            for key, values in known.items()
            if (len(values) > 1 or having[group][key] < sizes[group])
            and key not in ignored
            and not key.startswith("tuned.")
            and f"tuned.values.{key}" not in known
        )
        for group, known in seen.items()
    }
    return [
        (*group[3], *((key, trial[key]) for key in varying[group] if key in trial))
        for group, trial in zip(groups, frame["trial"], strict=True)
    ]
