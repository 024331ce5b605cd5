"""How small a difference could this study have seen, and how many seeds would settle a claim?"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy import special, stats


def power(effect: float, deviation: float, n: int, level: float = 0.05) -> float:
    """Chance that a two-sided paired t test on `n` seeds sees a true mean difference `effect`.

    Args:
        effect: True difference, in points.
        deviation: Standard deviation of the per-seed differences, in points.
    """
    if n < 2:
        return 0.0
    if deviation == 0:
        return 1.0 if effect else 0.0
    return chance(abs(effect) / deviation * np.sqrt(n), n - 1, level)


def chance(shift: float, df: float, level: float = 0.05) -> float:
    """Chance that a two-sided t test with `df` degrees of freedom sees a difference of `shift` standard errors."""
    # Chance to reject given the scaled deviation x, averaged over its chi distribution by Gauss-Legendre quadrature;
    # scipy's noncentral t gives nan for one degree of freedom and a large shift.
    bounds, weights = _chi(df, level)
    return float(weights @ (special.ndtr(shift - bounds) + special.ndtr(-shift - bounds)))


@functools.lru_cache(maxsize=512)
def _chi(df: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the test's edge lies at each node, in standard errors, and the probability of the node."""
    low, high = stats.chi.ppf(1e-13, df), stats.chi.isf(1e-13, df)
    nodes, weights = _nodes()
    x = low + (high - low) * (nodes + 1) / 2
    return stats.t.ppf(1 - level / 2, df) * x / np.sqrt(df), weights * (high - low) / 2 * stats.chi.pdf(x, df)


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature on -1..1; dear to compute, and always the same."""
    return np.polynomial.legendre.leggauss(400)


def detectable(deviation: float, n: int, level: float = 0.05, wanted: float = 0.8) -> float | None:
    """Smallest true difference that `n` seeds see with probability `wanted`, in points; None for one seed."""
    return None if n < 2 else deviation * _unit(n, level, wanted)


@functools.lru_cache(maxsize=512)
def _unit(n: int, level: float, wanted: float) -> float:
    """The detectable difference in deviations."""
    low, high = 0.0, 1.0
    while power(high, 1.0, n, level) < wanted:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, 1.0, n, level) >= wanted else (middle, high)
    return high


def seeds_needed(
    effect: float, deviation: float, level: float = 0.05, wanted: float = 0.8, most: int = 10000
) -> int | None:
    """Fewest seeds with which a difference of `effect` points is seen with probability `wanted`; None above `most`."""
    if effect == 0:
        return None
    if deviation == 0:
        return 2
    return fewest(lambda n: power(effect, deviation, n, level) >= wanted, most)


def fewest(seen: Callable[[int], bool], most: int) -> int | None:
    """The smallest number, from 2, that `seen` holds for, as it does for all larger ones; None above `most`."""
    if not seen(most):
        return None
    low, high = 1, 2
    while not seen(high):
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
