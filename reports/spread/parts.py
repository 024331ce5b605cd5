"""A cell, or the difference of two, as components of variance from the per-query records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell
from reports.compare import Records, records_of
from reports.statistics import Components, components

if TYPE_CHECKING:
    from harness.store.store import Results


def of_cell(results: Results, c: Cell) -> tuple[Components | None, str]:
    """The components of a cell's Rank-1, or None and why: no score, one seed, no records, one identity."""
    if not c.values:
        return None, c.story
    if len(c.values) < 2:
        return None, "one seed"
    records = records_of(results)
    found = records.whole(c.ids, c.measured)
    if not found:
        return None, "no records"
    return _components(np.array([records.values(one, "R1") for one in found]), found[0].person)


def of_difference(records: Records, a: Cell, b: Cell) -> tuple[Components | None, str]:
    """As `of_cell`, of A minus B paired by seed and query."""
    pair = records.aligned(a, b, "R1")
    return (None, "no records") if pair is None else _components(pair[0] - pair[1], pair[2])


def _components(values: np.ndarray, person: np.ndarray) -> tuple[Components | None, str]:
    if len(values) < 2:
        return None, "one seed"
    found = components(values, person)
    return found, "" if found else "one identity"
