"""Ranks of all matches of all queries, and every metric of them: all that a measurement has to keep.

Only numpy is needed here, so results are measured again whenever they are read, without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness import registry

PER_QUERY = {"ap": "mAP", "inp": "mINP"}  # per-query columns and the metric that each is a value of


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of all matches of all queries; 1 is the best.

    Attributes:
        values: int64 [sum of matches], ascending within a query.
        offsets: int64 [Q + 1]; the ranks of query q are `values[offsets[q] : offsets[q + 1]]`.
        gallery: Number of gallery items.
        unmatched: int64, queries without a match in the gallery; metrics leave them out, reports count them.
    """

    values: np.ndarray
    offsets: np.ndarray
    gallery: int
    unmatched: np.ndarray

    @property
    def queries(self) -> int:
        """Number of matched queries, M."""
        return len(self.matched)

    @property
    def positives(self) -> np.ndarray:
        """Matches of each matched query, int64 [M]."""
        return np.diff(self.offsets)[self.matched]

    @property
    def matched(self) -> np.ndarray:
        """Queries with a match, int64 [M], in order; metrics have one value for each of them."""
        return np.flatnonzero(np.diff(self.offsets))

    @property
    def first(self) -> np.ndarray:
        """Rank of the best match of each matched query, int64 [M]."""
        return self.values[self.offsets[self.matched]]

    @property
    def last(self) -> np.ndarray:
        """Rank of the worst match of each matched query, int64 [M]."""
        return self.values[self.offsets[self.matched + 1] - 1]


def measured(ranks: Ranks) -> dict[str, np.ndarray | None]:
    """Every metric in `harness/evaluation/metrics/`: a value per matched query, float64 [M]; None where undefined."""
    found: dict[str, np.ndarray | None] = {}
    for name in registry.names("metrics"):
        found |= registry.find("metrics", name).measure(ranks)
    return found


def percent(each: np.ndarray | None) -> float | None:
    """The mean over queries in percent; None where the metric is undefined."""
    return None if each is None else 100 * float(np.mean(each))
