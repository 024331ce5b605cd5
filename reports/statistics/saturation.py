"""A law for accuracy against trained parameters: score = ceiling - drop * (parameters / smallest) ^ -rate.

Least squares. The rate is searched on a grid, where ceiling and drop follow in closed form, so there is one answer and
no starting value. Uncertainty: the scores of each budget are drawn anew around the fitted law with the spread that the
seeds show (parametric bootstrap), and the law is fitted to each draw. With few budgets the ceiling lies far outside
the data: read its interval, not its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RATES = np.geomspace(0.05, 4.0, 120)


@dataclass(frozen=True)
class Law:
    """The fitted law and what the bootstrap drew: arrays [draws]. `spread` is the seeds' deviation in points."""

    smallest: float
    largest: float
    ceiling: float
    drop: float
    rate: float
    spread: float
    ceilings: np.ndarray
    drops: np.ndarray
    rates: np.ndarray

    def at(self, parameters: np.ndarray) -> np.ndarray:
        """Score in percent at `parameters` [n]."""
        return self.ceiling - self.drop * (np.asarray(parameters, float) / self.smallest) ** -self.rate

    def band(self, parameters: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise interval of the law at `parameters` [n]."""
        x = (np.asarray(parameters, float) / self.smallest)[None]
        drawn = self.ceilings[:, None] - self.drops[:, None] * x ** -self.rates[:, None]
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval of the ceiling."""
        low, high = np.quantile(self.ceilings, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def needed(self, score: float) -> float | None:
        """Parameters with which the law reaches `score`; None above the ceiling, or beyond ten times what was tried."""
        if score >= self.ceiling or self.drop <= 0:
            return None
        found = self.smallest * ((self.ceiling - score) / self.drop) ** (-1 / self.rate)
        return None if found > 10 * self.largest else max(found, self.smallest)


def saturation(parameters: Sequence[float], scores: Sequence[Sequence[float]], draws: int = 500, seed: int = 0) -> Law:
    """Fit the law to the scores of the seeds at each size.

    Args:
        parameters: Trained parameters of each budget, positive [budgets].
        scores: The scores of the seeds at each budget, percent.
        draws: Bootstrap samples.
        seed: Of the generator.

    Raises:
        ValueError: fewer than four different sizes (three are needed for the law, one to contradict it), or no budget
            with two seeds to show a spread.
    """
    x = np.asarray(parameters, float)
    if len(np.unique(x)) < 4:
        raise ValueError(f"{len(np.unique(x))} different sizes; the law needs 4")
    means = np.array([np.mean(s) for s in scores])
    sizes = np.array([len(s) for s in scores])
    free = (sizes - 1).sum()
    if free < 1:
        raise ValueError("no budget has two seeds")
    spread = float(np.sqrt(sum(((np.asarray(s) - np.mean(s)) ** 2).sum() for s in scores) / free))
    smallest = float(x.min())
    _, _, coarse = _fit(x / smallest, means[None], sizes)
    ceiling, drop, rate = _fit(x / smallest, means[None], sizes, coarse[0] * np.geomspace(0.96, 1.04, 81))
    fitted = ceiling - drop * (x / smallest) ** -rate
    drawn = fitted + np.random.default_rng(seed).normal(0, 1, (draws, len(x))) * spread / np.sqrt(sizes)
    some = _fit(x / smallest, drawn, sizes)
    return Law(smallest, float(x.max()), float(ceiling[0]), float(drop[0]), float(rate[0]), spread, *some)


def _fit(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, rates: np.ndarray = RATES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares for each row of `y` [rows, budgets]: ceiling, drop (not negative) and rate [rows]."""
    w = weight / weight.sum()
    centre = y @ w
    rest = y - centre[:, None]
    basis = x[:, None] ** -rates
    middle = w @ basis
    away = basis - middle
    # The least squares error of the best slope at every rate, without its constant: all rates in one product.
    across, within = (rest * w) @ away, w @ away**2
    slopes = np.maximum(-across / within, 0)
    best = np.argmin(slopes * (2 * across + slopes * within), axis=1)
    drop = np.take_along_axis(slopes, best[:, None], axis=1)[:, 0]
    return centre + drop * middle[best], drop, rates[best]
