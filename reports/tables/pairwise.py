"""Which differences between methods hold, which do not, and how many seeds would settle them?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell, cells, home, places
from reports.compare import Records, records_of
from reports.drawing import palette
from reports.statistics import detectable, holm, mcnemar, seeds_needed, wilcoxon
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import resampled, sources

if TYPE_CHECKING:
    from harness.store.store import Results

MOST = 12  # series at one budget; more give a table that nobody reads


def applies(results: Results) -> bool:
    """Whether two methods have scores at one budget."""
    return bool(_groups(home(cells(results))))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, budget and pair trained on the same data; Holm's correction within these."""
    found, records = home(cells(results, metric)), records_of(results)
    rows: list[dict[str, Entry]] = []
    breaks = []
    known = _Known(records, _across(found))
    for (place, budget, _), some in _groups(found).items():
        breaks.append(len(rows))
        start = len(rows)
        for a, b in itertools.combinations(sorted(some, key=lambda c: -c.score)[:MOST], 2):
            rows.append(_row(place, budget, a, b, records, metric, known))
        adjusted = holm(np.array([row["p"] if row["p"] is not None else 1.0 for row in rows[start:]]))
        for row, p in zip(rows[start:], adjusted, strict=True):
            row["p"] = Value(float(p), digits=3, text="<0.001" if p < 0.001 else "")
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("budget", "Budget"),
        Column("a", "A", align="l"),
        Column("b", "B", align="l"),
        Column("difference", "A − B (points)"),
        Column("p", "p (Holm)"),
        Column("only_a", "Only A right"),
        Column("only_b", "Only B right"),
        Column("mcnemar", "McNemar p"),
        Column("wilcoxon", "Wilcoxon p"),
        Column("detectable", "Detectable"),
        Column("needed", "Seeds needed"),
    )
    notes = (
        f"{palette.name(metric)}; A − B ± half of the 95 % interval over seeds and identities, paired",
        *sources(found),
        *resampled(found),
        "McNemar: Rank-1, median over seeds of being right, queries taken as independent; Wilcoxon: over all datasets, "
        "budgets and seeds that both have",
        "Detectable: smallest true difference that these seeds see with 80 %; seeds needed: for the difference and "
        "the spread as they are, on these queries",
    )
    return Table("Differences between methods", columns, tuple(rows), notes, tuple(breaks), "pairwise")


def _groups(found: list[Cell]) -> dict[tuple[str, str, tuple], list[Cell]]:
    """Cells with scores by dataset, budget and part of the data, where there are two."""
    made: dict[tuple[str, str, tuple], list[Cell]] = {}
    for place in places(found) if found else []:
        for c in sorted((c for c in found if c.dataset == place and c.values), key=lambda c: c.target or 0):
            if c.budget:
                made.setdefault((place, c.budget, c.part), []).append(c)
    return {key: some for key, some in made.items() if len(some) > 1}


def _across(found: list[Cell]) -> dict[str, dict[tuple, float]]:
    """Scores of each series by (dataset, budget, seed)."""
    made: dict[str, dict[tuple, float]] = {}
    for c in found:
        if c.budget:
            for seed, value in zip(c.seeds, c.values, strict=True):
                made.setdefault(c.key, {})[c.dataset, c.budget, seed] = value
    return made


def _row(place: str, budget: str, a: Cell, b: Cell, records: Records, metric: str, known: _Known) -> dict:
    row: dict[str, Entry] = {"dataset": palette.name(place), "budget": budget, "a": a.series, "b": b.series}
    gap = records.difference(a, b, metric)
    row["difference"] = Value(None) if gap is None else Value.of(gap.interval)
    row["p"] = None if gap is None else gap.p
    right = known.right(a, b)
    if right is not None:
        test = mcnemar(*right)
        row |= {"only_a": test.only_a, "only_b": test.only_b, "mcnemar": _p(test.p)}
    row["wilcoxon"] = known.wilcoxon(a, b)
    seeds = [s for s in a.seeds if s in b.seeds]
    if len(seeds) > 1:
        gaps = np.array([a.values[a.seeds.index(s)] - b.values[b.seeds.index(s)] for s in seeds])
        deviation = float(gaps.std(ddof=1))
        row["detectable"] = Value(detectable(deviation, len(seeds)))
        needed = seeds_needed(float(gaps.mean()), deviation, most=1000)
        row["needed"] = Value(needed, digits=0, text="" if needed else ">1000")
    return row


class _Known:
    """What many pairs need again: which queries a cell gets right, and the test of two series over everything."""

    def __init__(self, records: Records, across: dict[str, dict[tuple, float]]) -> None:
        self.records, self.across = records, across
        self._right: dict[tuple, tuple[np.ndarray, np.ndarray] | None] = {}
        self._tests: dict[tuple[str, str], Value | None] = {}

    def right(self, a: Cell, b: Cell) -> tuple[np.ndarray, np.ndarray] | None:
        """For both cells, which queries [queries] have a right first match in the median over the seeds both have;
        None without records of the same queries."""
        common = tuple(s for s in a.seeds if s in b.seeds)
        if not common or a.trained == 0 or b.trained == 0:
            pair = self.records.aligned(a, b, "R1")
            return None if pair is None else tuple(np.median(values, axis=0) >= 50 for values in pair)
        one, two = (self._of(c, common) for c in (a, b))
        if one is None or two is None or not np.array_equal(one[0], two[0]):
            return None
        return one[1], two[1]

    def _of(self, c: Cell, seeds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
        ids = tuple(c.ids[c.seeds.index(s)] for s in seeds)
        if (ids, c.measured) not in self._right:
            frames = self.records.whole(ids, c.measured)
            self._right[ids, c.measured] = None if frames is None else (
                frames[0].query, np.mean([self.records.values(f, "R1") for f in frames], axis=0) >= 50
            )  # fmt: skip
        return self._right[ids, c.measured]

    def wilcoxon(self, a: Cell, b: Cell) -> Value | None:
        """Wilcoxon's p over all datasets, budgets and seeds that both series have; None where they share none."""
        key = (a.key, b.key)
        if key not in self._tests:
            one, two = self.across[a.key], self.across[b.key]
            shared = sorted(set(one) & set(two))
            test = wilcoxon(np.array([one[k] for k in shared]), np.array([two[k] for k in shared])) if shared else None
            self._tests[key] = None if test is None else _p(test)
        return self._tests[key]


def _p(p: float) -> Value:
    return Value(p, digits=3, text="<0.001" if p < 0.001 else "")
