"""Is A better than B? Tests on the same queries, the same seeds and the same datasets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from reports.statistics.intervals import Interval, both_parts, by_person, how_often, over_seeds, student


@dataclass(frozen=True)
class McNemar:
    """Queries that only one of two methods gets right, and the exact two-sided p-value."""

    only_a: int
    only_b: int
    both: int
    neither: int
    p: float


@dataclass(frozen=True)
class Difference:
    """Mean of A minus mean of B with its interval, and the two-sided p-value of no difference."""

    interval: Interval
    p: float


def difference(
    a: np.ndarray, b: np.ndarray, person: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Difference:
    """mean(a) - mean(b) for other seeds and other identities (see `over_both`); `a` and `b` are [seeds, queries].

    Row s of both must come from the same seed and column q from the same query: pairing removes what makes a query
    hard for everyone.
    """
    a, b = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    if a.shape != b.shape:
        raise ValueError(f"not paired: {a.shape} and {b.shape}")
    mean, variance, df, n = both_parts(a - b, person, draws, seed)
    half = float(student((1 + level) / 2, df) * np.sqrt(variance)) if variance else 0.0
    return Difference(Interval(mean, mean - half, mean + half, n), two_sided(mean, variance, df))


def by_seed(a: np.ndarray, b: np.ndarray, level: float = 0.95) -> Difference:
    """mean(a) - mean(b) of scores [seeds] paired by seed: Student's t; for when there are no per-query records.

    One seed gives no interval, and p is 1: nothing can be told.
    """
    gap = np.asarray(a, float) - np.asarray(b, float)
    interval = over_seeds(gap, level)
    if interval.low is None:
        return Difference(interval, 1.0)
    return Difference(interval, two_sided(interval.mean, float(gap.var(ddof=1)) / len(gap), len(gap) - 1))


def two_sided(mean: float, variance: float, df: float) -> float:
    """p of no difference, from Student's t of a mean with its variance."""
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * special.stdtr(df, -abs(mean) / np.sqrt(variance)))


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, person: np.ndarray, draws: int = 10000, seed: int = 0
) -> tuple[float, float]:
    """Mean difference of `a` and `b` [queries] and its two-sided p-value, identities drawn anew.

    The differences are centred so that the null hypothesis holds in the resampled data; p is the share of samples
    at least as far from zero as what was seen, counting the data itself (Davison and Hinkley 1997, section 4.4).
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        raise ValueError(f"not paired: {a.shape} and {b.shape}")
    seen = float((a - b).mean())
    sums, sizes = by_person(a - b - seen, person)
    times = how_often(len(sizes), draws, seed)
    null = (times @ sums) / (times @ sizes)
    extreme = int((np.abs(null) >= abs(seen) - 1e-12).sum())
    return seen, (extreme + 1) / (draws + 1)


def mcnemar(a: np.ndarray, b: np.ndarray) -> McNemar:
    """McNemar's exact test that two methods get the same share of queries right; `a`, `b` boolean [queries].

    It takes queries as independent; with several captions per person its p-value is too small, so read it beside
    `paired_bootstrap`.
    """
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if a.shape != b.shape:
        raise ValueError(f"not paired: {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_a + only_b
    # At a half the binomial distribution is even, so two sides are twice one; they meet in the middle.
    p = min(1.0, 2 * float(special.bdtr(min(only_a, only_b), n, 0.5)))
    return McNemar(only_a, only_b, int((a & b).sum()), int((~a & ~b).sum()), p)


def wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on paired scores [seeds x datasets]; exact without ties.

    Pairs without a difference are dropped (Wilcoxon's rule); if none is left, p is 1. With fewer than six pairs the
    smallest possible p is above 0.05: more seeds or datasets are needed, whatever the scores.
    """
    gap = np.asarray(a, float) - np.asarray(b, float)
    gap = gap[gap != 0]
    if not len(gap):
        return 1.0
    tied = len(np.unique(np.abs(gap))) < len(gap)
    # scipy enumerates all sign patterns when given a permutation method, which stays exact with ties.
    method = stats.PermutationMethod(n_resamples=np.inf) if tied and len(gap) <= 13 else "auto"
    return float(stats.wilcoxon(gap, method=method).pvalue)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted for the number of comparisons (Holm 1979): reject those at or below the level."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
