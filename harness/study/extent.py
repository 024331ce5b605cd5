"""How much a study asks for: numbers that nothing holds, and how many trials its lists span, without building any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.study.faults import Fault
from harness.study.study import Study

TRIALS = 10_000  # of a study, unless it is said that there are many
TRIED = 10 * TRIALS  # points of a search in all the places that could take their values from it
WHOLE = 2**63  # whole numbers are below, as files and tensors hold them


def of_numbers(tree: Any, place: tuple = ()) -> Iterator[Fault]:
    """Numbers that are infinite, none, or too large, wherever they stand."""
    if isinstance(tree, Mapping | list):
        for key, value in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from of_numbers(value, (*place, key))
    elif isinstance(tree, float) and not math.isfinite(tree):
        yield place, f"{'.'.join(map(str, place))}: numbers are finite, got {tree!r} (float)"
    elif isinstance(tree, int) and not -WHOLE <= tree < WHOLE:
        digits = f"{tree:.3e}" if abs(tree) < 1e300 else "more than 300 digits"
        yield place, f"{'.'.join(map(str, place))}: whole numbers are from -2^63 to 2^63 - 1, got {digits} (int)"


def spanned(study: Study) -> int:
    """Trials that the lists of a study span, before rules drop any and equal ones become one."""
    per, total = study.tuning.per, 0
    for index in range(len(study.methods)):
        each, datasets, budgets, points = _lengths(study, index)
        total += each * datasets * budgets * len(study.possible)
        homes = (datasets if "dataset" in per else 1) * (budgets if "budget" in per else 1)
        total += each * homes * points * len(study.tuning.seeds)
    return total


def of_extent(study: Study) -> Iterator[Fault]:
    """Whether a study is larger than anyone means it to be."""
    lists = {name: getattr(study, name) for name in ("grid", "zip", "tune", "seeds", "methods", "datasets")}
    largest = max(lists, key=lambda name: _size(study.possible if name == "seeds" else lists[name]))
    if (count := spanned(study)) > TRIALS:
        yield (largest,), f"{study.name} spans {_count(count)} trials; expected at most {TRIALS:,}, or --many"
        return
    lengths = [_lengths(study, index) for index in range(len(study.methods))]
    if (count := sum(math.prod(each) for each in lengths)) > TRIED:
        words = f"its search has {_count(count)} points over all data sets, budgets and values of the grid"
        yield ("tune",), f"{words}; expected at most {TRIED:,}, or --many"


def of_lists(study: Study) -> Iterator[Fault]:
    """Searches of which no points can be drawn, being too large."""
    for entry in study.methods:
        if math.prod(len(values) for values in study.axes(entry).values()) >= WHOLE:
            yield ("tune",), "the lists of a search span 2^63 points or more; expected shorter ones"
            return


def _lengths(study: Study, index: int) -> tuple[int, int, int, int]:
    """Of a method: points of grid and zip, data sets, budgets, and points of its search, 0 where it has none."""
    entry, axes = study.methods[index], study.axes(study.methods[index])
    each = math.prod(len(values) for values in study.grid.values()) * min(map(len, study.zip.values()), default=1)
    points = math.prod(len(values) for values in axes.values()) if axes else 0
    wanted = study.tuning.trials
    budgets = study.budgets if entry.budgets is None else entry.budgets
    return each, len(study.datasets), len(budgets), points if wanted == "all" else min(points, wanted)


def _size(part: Any) -> int:
    return math.prod(len(values) for values in part.values()) if isinstance(part, dict) and part else len(part)


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"{number:.3e}" if number < 10**300 else "more than 1e300"
