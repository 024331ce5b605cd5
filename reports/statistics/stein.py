"""Intervals of a design that finds its number of seeds: Stein's two-stage procedure (Ann. Math. Statist. 16, 1945).

A pilot's standard deviation s says how many seeds there are, and the interval is mean ± t s / sqrt(n), with n of all
seeds, and s and the degrees of freedom of t of the pilot. With the s of all seeds it would cover too little, since
their number depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stein import wanted
from reports.statistics.intervals import Interval, student
from reports.statistics.paired import Difference, two_sided


@dataclass(frozen=True)
class Design:
    """What a study asks for: see `seeds` in `docs/studies.md`; `width` is half of the interval, in points."""

    first: int
    width: float
    most: int
    of: str  # mean | difference
    to: str | None

    @property
    def words(self) -> str:
        """The interval's name."""
        return f"Stein's two-stage interval, pilot of {self.first}"


def pilot(values: np.ndarray, seeds: Sequence[int], first: int) -> np.ndarray:
    """Those of `values` [n] whose seed is of the pilot, 0 to `first` - 1."""
    return np.asarray(values, float)[np.asarray(seeds, int) < first]


def two_stage(values: np.ndarray, seeds: Sequence[int], first: int, level: float = 0.95) -> Interval:
    """Stein's interval of the mean of `values` [n], one value per seed; none where the pilot has fewer than two."""
    values = np.asarray(values, float)
    own, mean = pilot(values, seeds, first), float(values.mean())
    if len(own) < 2:
        return Interval(mean, None, None, len(values))
    half = float(student((1 + level) / 2, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half, len(values))


def two_stage_difference(gaps: np.ndarray, seeds: Sequence[int], first: int) -> Difference:
    """As `two_stage`, of differences paired by seed, with p; without an interval nothing can be told, and p is 1."""
    interval, own = two_stage(gaps, seeds, first), pilot(gaps, seeds, first)
    if interval.low is None:
        return Difference(interval, 1.0)
    return Difference(interval, two_sided(interval.mean, float(own.var(ddof=1)) / len(gaps), len(own) - 1))


def asked(own: np.ndarray, design: Design) -> int | None:
    """Seeds that a pilot's values ask for, before `most` cuts them; None with fewer than two values."""
    count = wanted(own, design.width)
    return None if count is None else max(design.first, count)
