"""What would choosing the epoch on the test split have added?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell, cells, home, places
from reports.drawing import palette
from reports.statistics import optimism
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import sources

if TYPE_CHECKING:
    from harness.store.store import Results

WAYS = ("last", "selected", "oracle")


def applies(results: Results) -> bool:
    """Whether some cell was scored with the last, the val-selected and the test-selected epoch."""
    return bool(_triples(results, "R1"))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, method and budget that has all three."""
    triples = _triples(results, metric)
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places([some["selected"][0] for some in triples.values()]):
        breaks.append(len(rows))
        for (at, _, _, _), some in triples.items():
            if at != place:
                continue
            seeds = [s for s in some["last"][1] if s in some["selected"][1] and s in some["oracle"][1]]
            found = optimism(*(np.array([some[way][1][s] for s in seeds]) for way in WAYS))
            c = some["selected"][0]
            rows.append(
                {"dataset": palette.name(place), "method": c.series, "budget": c.budget}
                | {name: Value.of(getattr(found, name)) for name in (*WAYS, "gap", "regret")}
                | {"seeds": len(seeds)}
            )
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("last", "Last epoch"),
        Column("selected", "Selected on val"),
        Column("oracle", "Best on test"),
        Column("gap", "Optimism"),
        Column("regret", "Selected − last"),
        Column("seeds", "Seeds"),
    )
    notes = (
        f"{palette.name(metric)} in percent, ± half of the 95 % t interval over the seeds that have all three",
        *sources(some["selected"][0] for some in triples.values()),
        "Optimism: best on test − selected on val, paired by seed: what test-selected numbers claim too much",
    )
    return Table("Optimism of choosing on test", columns, tuple(rows), notes, tuple(breaks), "optimism")


def _triples(results: Results, metric: str) -> dict[tuple, dict[str, tuple[Cell, dict[int, float]]]]:
    """(dataset, label, budget, other settings) -> way -> the cell and its scores by seed, where all three ways exist.

    The ways come from one trial that kept all three, or from trials that differ in their `selection`.
    """
    made: dict[tuple, dict[str, tuple[Cell, dict[int, float]]]] = {}
    for way in WAYS:
        for c in home(cells(results, metric, choice=way)):
            rest = tuple(pair for pair in c.variant if pair[0] != "selection")
            if c.values:
                scores = dict(zip(c.seeds, c.values, strict=True))
                made.setdefault((c.dataset, c.label, c.budget, rest), {})[way] = (c, scores)
    return {
        key: some
        for key, some in made.items()
        if len(some) == len(WAYS) and set.intersection(*(set(some[way][1]) for way in WAYS))
    }
