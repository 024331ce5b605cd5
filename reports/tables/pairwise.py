"""Which differences between methods hold, which do not, and how many seeds would settle them?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from reports import palette
from reports.cells import Cell, cells, home, places, sources
from reports.compare import Records, records_of
from reports.statistics import detectable, holm, mcnemar, seeds_needed, wilcoxon
from reports.table import Column, Table, Value

if TYPE_CHECKING:
    from harness.store import Results

MOST = 12  # series at one budget; more give a table that nobody reads


def applies(results: Results) -> bool:
    """Whether two methods have scores at one budget."""
    return bool(_groups(home(cells(results))))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, budget and pair; Holm's correction within a dataset and budget."""
    found, records = home(cells(results, metric)), records_of(results)
    rows, breaks = [], []
    across = _across(found)
    for (place, budget), some in _groups(found).items():
        breaks.append(len(rows))
        start = len(rows)
        for a, b in itertools.combinations(sorted(some, key=lambda c: -c.mean)[:MOST], 2):
            rows.append(_row(place, budget, a, b, records, metric, across))
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
        "McNemar: Rank-1, median over seeds of being right, queries taken as independent; Wilcoxon: over all datasets, "
        "budgets and seeds that both have",
        "Detectable: smallest true difference that these seeds see with 80 %; seeds needed: for the difference and "
        "the spread as they are, on these queries",
    )
    return Table("Differences between methods", columns, tuple(rows), notes, tuple(breaks), "pairwise")


def _groups(found: list[Cell]) -> dict[tuple[str, str], list[Cell]]:
    made: dict[tuple[str, str], list[Cell]] = {}
    for place in places(found) if found else []:
        for c in sorted(
            (c for c in found if c.dataset == place and c.budget and c.values), key=lambda c: c.target or 0
        ):
            made.setdefault((place, c.budget), []).append(c)
    return {key: some for key, some in made.items() if len(some) > 1}


def _across(found: list[Cell]) -> dict[str, dict[tuple, float]]:
    """Scores of each series by (dataset, budget, seed)."""
    made: dict[str, dict[tuple, float]] = {}
    for c in found:
        if c.budget:
            for seed, value in zip(c.seeds, c.values, strict=True):
                made.setdefault(c.key, {})[c.dataset, c.budget, seed] = value
    return made


def _row(place: str, budget: str, a: Cell, b: Cell, records: Records, metric: str, across: dict) -> dict:
    row = {"dataset": palette.name(place), "budget": budget, "a": a.series, "b": b.series, "p": None}
    gap = records.difference(a, b, metric)
    row["difference"] = Value(None) if gap is None else Value.of(gap.interval)
    row["p"] = None if gap is None else gap.p
    pair = records.aligned(a, b, "R1")
    if pair is not None:
        test = mcnemar(np.median(pair[0], axis=0) >= 50, np.median(pair[1], axis=0) >= 50)
        row |= {"only_a": test.only_a, "only_b": test.only_b, "mcnemar": _p(test.p)}
    shared = sorted(set(across[a.key]) & set(across[b.key]))
    if shared:
        row["wilcoxon"] = _p(wilcoxon(*(np.array([across[c.key][k] for k in shared]) for c in (a, b))))
    seeds = [s for s in a.seeds if s in b.seeds]
    if len(seeds) > 1:
        gaps = np.array([a.values[a.seeds.index(s)] - b.values[b.seeds.index(s)] for s in seeds])
        deviation = float(gaps.std(ddof=1))
        row["detectable"] = Value(detectable(deviation, len(seeds)))
        needed = seeds_needed(float(gaps.mean()), deviation, most=1000)
        row["needed"] = Value(needed, digits=0, text="" if needed else ">1000")
    return row


def _p(p: float) -> Value:
    return Value(p, digits=3, text="<0.001" if p < 0.001 else "")
