"""Means with 95 % intervals: over seeds, over queries (resampled by identity), and over both.

Three questions, three intervals. *Would other seeds give this mean?* `over_seeds`. *Would other people give it?*
`over_identities`: queries of one person stand or fall together, so people are drawn and not queries. *Both?*
`over_both`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Interval:
    """A mean and its interval in the unit of the data; `low` and `high` are None where no interval can be given."""

    mean: float
    low: float | None
    high: float | None
    n: int  # independent units: seeds, or identities

    @property
    def ends(self) -> tuple[float, float] | None:
        """`low` and `high`, None without an interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def half(self) -> float | None:
        """Half of the width, None without an interval."""
        return None if self.ends is None else (self.ends[1] - self.ends[0]) / 2


def over_seeds(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of the mean of `values` [n], one value per seed.

    One value has no interval: `low` and `high` are None. Values that are all equal give an interval of width zero.

    Raises:
        ValueError: no value, or one that is not finite.
    """
    values = _finite(values)
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return Interval(mean, None, None, 1)
    half = float(student((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def strays(values: np.ndarray) -> np.ndarray:
    """Those of `values` [n], in points, that lie too far from their median for the same normal distribution.

    Too far is more than ten points and more than five standard deviations, as the median absolute deviation has them
    (Hampel, J. Am. Statist. Assoc. 69, 1974): a training that failed, not one that was unlucky. Ten points, since with
    few queries many scores are equal and their deviation is 0.
    """
    off = np.abs(_finite(values) - np.median(values))
    return values[off > max(10.0, 5 * 1.4826 * float(np.median(off)))]


def over_identities(
    values: np.ndarray, person: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Percentile interval of the mean of `values` [queries] when identities are drawn anew (cluster bootstrap).

    Field and Welsh, "Bootstrapping clustered data", J. R. Statist. Soc. B 69 (2007). A drawn identity brings all its
    queries, so the mean is a ratio of two sums, both of which are redrawn.

    Args:
        values: A score per query, for instance 1 where the first match is right and 0 elsewhere.
        person: Identity of each query, any integers [queries].
        draws: Bootstrap samples.
        seed: Of the generator; the same seed gives the same interval.
    """
    values = _finite(values)
    sums, sizes = by_person(values, person)
    means = _resampled(sums, sizes, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(sizes))


def over_both(
    values: np.ndarray, person: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Interval of the mean of `values` [seeds, queries] for other seeds *and* other identities.

    The variance over seeds (of the scores on these queries) and the variance over identities (of the score averaged
    over these seeds, by cluster bootstrap) are added; the degrees of freedom follow Welch and Satterthwaite. What
    seeds and queries do together is in both parts, so the interval errs on the wide side. Drawing few seeds with
    replacement, the other way to get it, is too narrow by sqrt((n - 1) / n). One seed leaves only the queries' part.
    """
    mean, variance, df, n = both_parts(values, person, draws, seed)
    half = float(student((1 + level) / 2, df) * np.sqrt(variance)) if variance else 0.0
    return Interval(mean, mean - half, mean + half, n)


def both_parts(values: np.ndarray, person: np.ndarray, draws: int, seed: int) -> tuple[float, float, float, int]:
    """Mean of `values` [seeds, queries], its variance, the degrees of freedom and the number of seeds; see
    `over_both`."""
    values = np.atleast_2d(np.asarray(values, float))
    _finite(values.ravel())
    sums, sizes = by_person(values.mean(axis=0), person)
    by_query = float(_resampled(sums, sizes, draws, seed).var(ddof=1))
    return float(values.mean()), *added(by_query, len(sizes), values.mean(axis=1)), len(values)


def added(by_query: float, people: int, scores: np.ndarray) -> tuple[float, float]:
    """Variance of the mean of `scores` [seeds] for other seeds and identities, and its degrees of freedom.

    `by_query` is its variance for other identities, of which there are `people`; see `over_both`.
    """
    by_seed = float(scores.var(ddof=1) / len(scores)) if len(scores) > 1 else 0.0
    total = by_query + by_seed
    spread = by_query**2 / max(people - 1, 1) + by_seed**2 / max(len(scores) - 1, 1)
    return total, total**2 / spread if spread else 1.0


def student(share: float, df: float) -> float:
    """Quantile of Student's t with `df` degrees of freedom; `scipy.stats.t.ppf` without its checks, which cost ten
    times the work for one number."""
    return float(special.stdtrit(df, share))


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    if not len(values):
        raise ValueError("no values")
    if not np.isfinite(values).all():
        raise ValueError(f"value {int(np.flatnonzero(~np.isfinite(values))[0])} is not finite")
    return values


def by_person(values: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each identity."""
    _, index = np.unique(np.asarray(person), return_inverse=True)
    if len(index) != len(values):
        raise ValueError(f"{len(values)} values but {len(index)} identities")
    return np.bincount(index, values), np.bincount(index).astype(float)


def _resampled(sums: np.ndarray, sizes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Mean over queries in each bootstrap sample of identities [draws]."""
    times = how_often(len(sizes), draws, seed)
    return (times @ sums) / (times @ sizes)


@functools.lru_cache(maxsize=8)
def how_often(identities: int, draws: int, seed: int) -> np.ndarray:
    """How often each identity is in each bootstrap sample, float [draws, identities]; read only.

    The same for every method of a study, so that comparing many of them costs one drawing.
    """
    times = np.random.default_rng(seed).multinomial(identities, np.full(identities, 1 / identities), size=draws)
    times = times.astype(float)
    times.setflags(write=False)
    return times
