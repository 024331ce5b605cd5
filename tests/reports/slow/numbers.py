"""Formulas of the reports once more: own forms, loops where the reports have products of matrices.

Conventions that both share: Student's t at 95 % over seeds; identities drawn 2000 times by a multinomial of
`default_rng(0)`; the law's rates on a grid of 120, its bootstrap of 500 normal draws of `default_rng(0)`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import stats


@dataclass
class Mean:
    """A mean over seeds or a difference: with half of its interval, and the number of seeds."""

    mean: float
    half: float | None
    n: int


@functools.cache
def drawn(identities: int) -> np.ndarray:
    """How often each identity is in each of 2000 samples [draws, identities]."""
    times = np.random.default_rng(0).multinomial(identities, [1 / identities] * identities, size=2000)
    return times.astype(float)


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / (len(values) - 1)


def student(values: list[float]) -> Mean:
    """Mean with half of its 95 % t interval."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * math.sqrt(variance(values) / n) if n > 1 else None
    return Mean(fmean(values), half, n)


def two_stage(values: dict[int, float], first: int) -> Mean:
    """Mean of the values by seed, with half of Stein's interval: spread and degrees of freedom of the first seeds."""
    own, n = [v for seed, v in values.items() if seed < first], len(values)
    half = stats.t.ppf(0.975, len(own) - 1) * math.sqrt(variance(own) / n) if len(own) > 1 else None
    return Mean(fmean(values.values()), half, n)


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p: the i-th smallest times what is left, never falling, at most one."""
    found, last = [0.0] * len(p), 0.0
    for turn, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        last = found[i] = max(last, min(1.0, (len(p) - turn) * p[i]))
    return found


def mcnemar(a: list[bool], b: list[bool]) -> tuple[int, int, float]:
    """Right alone, each, and the exact p."""
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    n = only_a + only_b
    return only_a, only_b, float(stats.binomtest(only_a, n, 0.5).pvalue) if n else 1.0


def wilcoxon(gaps: list[float]) -> float:
    """Two-sided exact p of the signed-rank test up to 50 pairs without ties, by counting sums of ranks."""
    gaps = [g for g in gaps if g]
    ranks = stats.rankdata([abs(g) for g in gaps])
    if len(set(ranks)) < len(ranks) or len(ranks) > 50:
        return float(stats.wilcoxon(gaps).pvalue)
    n = len(gaps)
    ways = [1] + [0] * (n * (n + 1) // 2)
    for r in range(1, n + 1):
        ways = [w + (ways[s - r] if s >= r else 0) for s, w in enumerate(ways)]
    smaller = int(min(sum(r for r, g in zip(ranks, gaps, strict=True) if (g > 0) is up) for up in (True, False)))
    return min(1.0, 2 * sum(ways[: smaller + 1]) / 2**n)


def power(effect: float, deviation: float, n: int, level: float = 0.05) -> float:
    """Of the paired t test: an integral over the chi distribution of the deviation, on a fine grid."""
    df, shift = n - 1, abs(effect) / deviation * math.sqrt(n)
    grid = np.linspace(stats.chi.ppf(1e-12, df), stats.chi.isf(1e-12, df), 20001)
    edge = stats.t.ppf(1 - level / 2, df) * grid / math.sqrt(df)
    seen = (stats.norm.cdf(shift - edge) + stats.norm.cdf(-shift - edge)) * stats.chi.pdf(grid, df)
    return float(np.trapezoid(seen, grid))


@functools.cache
def detectable(n: int) -> float:
    """The difference that is seen with 80 %, in deviations."""
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, 1.0, n) >= 0.8 else (middle, high)
    return high


def law(points: Sequence) -> dict:
    """score = ceiling - drop (x / smallest) ^ -rate, by least squares on a grid of rates, with its bootstrap."""
    x = np.array([g.of("trained") for g in points])
    n = np.array([len(g.scores) for g in points])
    means = np.array([g.mean for g in points])
    squares = sum((v - g.mean) ** 2 for g in points for v in g.scores.values())
    spread = math.sqrt(squares / (n.sum() - len(points)))
    x = x / x.min()

    def fit(y: np.ndarray, rates: np.ndarray) -> tuple[float, float, float]:
        w = n / n.sum()
        basis = x[None] ** -rates[:, None]  # [rates, sizes]
        drop = -(w * (basis - (w * basis).sum(axis=1)[:, None]) * (y - (w * y).sum())).sum(axis=1)
        drop = np.maximum(drop / (w * (basis - (w * basis).sum(axis=1)[:, None]) ** 2).sum(axis=1), 0)
        ceiling = (w * y).sum() + drop * (w * basis).sum(axis=1)
        error = (w * (y - ceiling[:, None] + drop[:, None] * basis) ** 2).sum(axis=1)
        k = int(np.argmin(error))
        return float(ceiling[k]), float(drop[k]), float(rates[k])

    grid = np.geomspace(0.05, 4.0, 120)
    _, _, coarse = fit(means, grid)
    ceiling, drop, rate = fit(means, coarse * np.geomspace(0.96, 1.04, 81))
    noise = np.random.default_rng(0).normal(0, 1, (500, len(x)))
    draws = [fit(ceiling - drop * x**-rate + row * spread / np.sqrt(n), grid) for row in noise]
    low, high = np.quantile([c for c, _, _ in draws], [0.025, 0.975])
    return {"ceiling": ceiling, "drop": drop, "rate": rate, "low": low, "high": high, "draws": draws}


def short(value: float) -> str:
    """A count for people: three figures at most, with K, M or G."""
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= scale:
            size = value / scale
            text = f"{size:.2f}" if size < 9.95 else f"{size:.1f}" if size < 99.5 else f"{size:.0f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + unit
    return f"{value:.0f}"


def ranked(values: Sequence[float]) -> list[float]:
    """Ranks, 1 for the highest; equal values share their mean rank."""
    return [sum(v > x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]


def friedman(ranks: Sequence[Sequence[float]]) -> float:
    """p that all methods are alike, from ranks [tasks, methods]; corrected for ties."""
    n, k = len(ranks), len(ranks[0])
    sums = [sum(row[j] for row in ranks) for j in range(k)]
    ties = sum(row.count(r) ** 2 - 1 for row in ranks for r in row)
    statistic = 12 / (n * k * (k + 1)) * sum(s * s for s in sums) - 3 * n * (k + 1)
    return float(stats.chi2.sf(statistic / (1 - ties / (n * k * (k * k - 1))), k - 1))


def nemenyi(methods: int, tasks: int, level: float = 0.05) -> float:
    """Critical difference of mean ranks; the quantile of the studentised range by halving an integral on a grid."""
    z = np.linspace(-9, 9, 20001)

    def within(q: float) -> float:
        spread = (stats.norm.cdf(z + q) - stats.norm.cdf(z)) ** (methods - 1)
        return float(np.trapezoid(methods * stats.norm.pdf(z) * spread, z))

    low, high = 0.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle) >= 1 - level else (middle, high)
    return high / math.sqrt(2) * math.sqrt(methods * (methods + 1) / (6 * tasks))
