"""Cells against each other on the same queries and seeds, from the per-query records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.cells import Cell
from reports.declared import remembered
from reports.statistics import (
    Difference,
    by_seed,
    difference,
    holm,
    two_stage_difference,
)
from reports.table import Entry, Value

if TYPE_CHECKING:
    from harness.store.store import Results

# Per-query value in percent of each metric, from the columns `first`, `ap` and `inp`.
VALUES = {
    "R1": lambda q: 100.0 * (q["first"].to_numpy() <= 1),
    "R5": lambda q: 100.0 * (q["first"].to_numpy() <= 5),
    "R10": lambda q: 100.0 * (q["first"].to_numpy() <= 10),
    "mAP": lambda q: 100.0 * q["ap"].to_numpy(float),
    "mINP": lambda q: 100.0 * q["inp"].to_numpy(float),
}


def reference(cell: Cell, found: Sequence[Cell]) -> Cell | None:
    """Full fine-tuning on the same part of the data; of several the one with equal settings as far as both vary them.

    None where there is none, or several between which only their scores could choose.
    """
    own = dict(cell.variant)
    near: dict[bool, list[Cell]] = {}
    for c in found:
        other = dict(c.variant)
        same = (c.dataset, c.part, c.measured) == (cell.dataset, cell.part, cell.measured)
        if same and c.method == "full" and c.values:
            near.setdefault(all(own[key] == other[key] for key in own.keys() & other.keys()), []).append(c)
    chosen = near.get(True) or near.get(False) or []
    return chosen[0] if len(chosen) == 1 else None


@dataclass(frozen=True)
class Queries:
    """One trial's records on one dataset: index, identity and rank of the first match of each query [queries]."""

    query: np.ndarray
    person: np.ndarray
    first: np.ndarray
    rows: slice | np.ndarray


class Records:
    """Per-query records of a study, found by trial; matched queries only."""

    def __init__(self, queries: pd.DataFrame, split: str = "test", direction: str = "t2i") -> None:
        kept = (queries["split"] == split) & (queries["direction"] == direction) & queries["first"].notna()
        self._rows = np.flatnonzero(kept.to_numpy(bool))
        # Only the numbers are taken: texts of millions of queries cost more than all that is done with them.
        self._frame = queries[["query", "person", "first", "ap", "inp"]].take(self._rows)
        self._names = [pd.factorize(queries[name]) for name in ("id", "dataset")]
        self._values: dict[str, np.ndarray] = {}

    @cached_property
    def _by_trial(self) -> dict[tuple[str, str], Queries]:
        query, person, rank = (self._frame[name].to_numpy() for name in ("query", "person", "first"))
        (ids, trials), (places, datasets) = self._names
        key = ids[self._rows].astype(np.int64) * max(len(datasets), 1) + places[self._rows]
        edges = np.flatnonzero(np.diff(key)) + 1
        starts = np.concatenate([[0], edges, [len(key)]]) if len(key) else np.zeros(1, dtype=int)
        first = key[starts[:-1]]
        runs: dict[int, slice | np.ndarray]
        if len(np.unique(first)) < len(first):  # a trial's records are scattered
            runs = {k: np.flatnonzero(key == k) for k in np.unique(first)}
        else:
            # Records of a trial lie together, so a slice gives views where an index would copy.
            runs = {k: slice(int(one), int(two)) for k, one, two in zip(first, starts, starts[1:], strict=False)}
        found = {}
        for k, rows in runs.items():
            ident, place = divmod(int(k), max(len(datasets), 1))
            found[trials[ident], datasets[place]] = Queries(query[rows], person[rows], rank[rows], rows)
        return found

    def of(self, ident: str, dataset: str) -> Queries | None:
        """Records of one trial on one dataset; None where none were kept."""
        return self._by_trial.get((ident, dataset))

    def whole(self, ids: Sequence[str], dataset: str) -> list[Queries] | None:
        """Records of some trials, all of the same queries; None where a trial has none, or others."""
        found = [f for i in ids if (f := self.of(i, dataset)) is not None]
        same = len(found) == len(ids) and all(np.array_equal(f.query, found[0].query) for f in found)
        return found if same else None

    def values(self, found: Queries, metric: str) -> np.ndarray:
        """Percent per query."""
        if metric not in self._values:
            self._values[metric] = VALUES[metric](self._frame)
        return self._values[metric][found.rows]

    def aligned(self, a: Cell, b: Cell, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Values of two cells [seeds, queries] in percent, with the person of each query.

        Only seeds that both have; None where a seed has no records, or not of the same queries.
        """
        if metric not in VALUES or a.measured != b.measured:
            return None
        rows_a, rows_b, first = [], [], None
        for one, two in _shared(a, b):
            left, right = self.of(one, a.measured), self.of(two, b.measured)
            if left is None or right is None or not np.array_equal(left.query, right.query):
                return None
            first = first or left
            if not np.array_equal(first.query, left.query):
                return None
            rows_a.append(self.values(left, metric))
            rows_b.append(self.values(right, metric))
        return None if first is None else (np.array(rows_a), np.array(rows_b), first.person)

    def difference(self, a: Cell, b: Cell, metric: str) -> Difference | None:
        """A minus B in points, for other seeds and identities; over seeds alone where there are no records; None
        where the two have no seed in common."""
        pair = self.aligned(a, b, metric)
        if pair is not None:
            return difference(*pair)
        return gap_over_seeds(a, b)

    def ties(self, cells: Sequence[Cell], metric: str, level: float = 0.05) -> tuple[Cell | None, list[Cell]]:
        """The cell with the best mean, and the others that cannot be told from it (Holm over the comparisons)."""
        scored = [c for c in cells if c.values]
        if not scored:
            return None, []
        best = max(scored, key=lambda c: c.score)
        others = [c for c in scored if c is not best]
        found = [self.difference(best, c, metric) for c in others]
        adjusted = holm(np.array([1.0 if d is None else d.p for d in found]))
        return best, [c for c, p in zip(others, adjusted, strict=True) if p > level]


@remembered
def records_of(results: Results, direction: str = "t2i") -> Records:
    """The records of a study on test, sorted out once; `direction` is t2i (captions are queries) or i2t."""
    return Records(results.queries, direction=direction)


def paired(a: Cell, b: Cell) -> dict[int, float]:
    """Seed -> score of A minus that of B with the same seed, in points; see `_shared`."""
    seeds = dict(zip((*a.ids, *b.ids), (*a.seeds, *b.seeds), strict=True))
    return {
        seeds[j if a.trained == 0 else i]: a.values[a.ids.index(i)] - b.values[b.ids.index(j)] for i, j in _shared(a, b)
    }


def gap_over_seeds(a: Cell, b: Cell) -> Difference | None:
    """A minus B in points, paired by seed, with the interval of the study's design over seeds alone; None where the
    two have no seed in common."""
    gaps = paired(a, b)
    if not gaps:
        return None
    values = np.array(list(gaps.values()))
    return (
        two_stage_difference(values, list(gaps), a.design.first) if a.design else by_seed(values, np.zeros(len(values)))
    )


def adjust(rows: Sequence[dict[str, Entry]]) -> None:
    """Holm's correction over those rows of a table that have a p-value as `p`, which becomes what is shown."""
    known = [(row, p) for row in rows if isinstance(p := row.get("p"), float)]
    for (row, _), p in zip(known, holm(np.array([p for _, p in known])), strict=True):
        row["p"] = Value(float(p), digits=3, text="<0.001" if p < 0.001 else "")


def _shared(a: Cell, b: Cell) -> list[tuple[str, str]]:
    """Trials of two cells paired by seed. A cell without training has one trial, which stands for every seed."""
    at_a, at_b = dict(zip(a.seeds, a.ids, strict=True)), dict(zip(b.seeds, b.ids, strict=True))
    if a.trained == 0 and at_a:
        return [(a.ids[0], at_b[s]) for s in at_b]
    if b.trained == 0 and at_b:
        return [(at_a[s], b.ids[0]) for s in at_a]
    return [(at_a[s], at_b[s]) for s in at_a if s in at_b]
