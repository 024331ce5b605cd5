"""Ranks over many tasks: Friedman's test, Nemenyi's critical difference, and groups that cannot be told apart.

Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Ranking:
    """Mean ranks (1 is best) of methods over tasks, with the critical difference at the given level."""

    names: tuple[str, ...]  # best first
    ranks: tuple[float, ...]  # in the order of `names`
    tasks: int
    p: float  # Friedman: all methods alike
    difference: float  # Nemenyi's critical difference, in ranks
    groups: tuple[tuple[str, ...], ...]  # maximal runs whose ranks differ by less than the critical difference


def rank(scores: np.ndarray, names: Sequence[str], level: float = 0.05) -> Ranking:
    """Rank methods by `scores` [tasks, methods], higher is better; equal scores share their mean rank.

    A task is one dataset with one seed. Seeds of one dataset are not independent datasets: the diagram speaks about
    these datasets, not about all datasets.

    Raises:
        ValueError: fewer than three methods or two tasks, or a score that is missing.
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or scores.shape[1] != len(names) or scores.shape[1] < 3 or scores.shape[0] < 2:
        raise ValueError(f"need scores of at least 2 tasks by 3 methods, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is missing: leave the method or the task out")
    tasks, k = scores.shape
    mean = stats.rankdata(-scores, axis=1).mean(axis=0)
    same = bool((scores == scores[:, :1]).all())
    p = 1.0 if same else float(stats.friedmanchisquare(*scores.T).pvalue)
    gap = critical_difference(k, tasks, level)
    order = np.argsort(mean, kind="stable")
    ordered, ranks = [names[i] for i in order], mean[order]
    return Ranking(tuple(ordered), tuple(ranks.tolist()), tasks, p, gap, tuple(_runs(ordered, ranks, gap)))


def critical_difference(methods: int, tasks: int, level: float = 0.05) -> float:
    """Nemenyi's critical difference of mean ranks: q * sqrt(k (k + 1) / (6 N)), q from the studentised range."""
    q = stats.studentized_range.ppf(1 - level, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * tasks)))


def _runs(names: list[str], values: np.ndarray, gap: float) -> list[tuple[str, ...]]:
    """Maximal runs of at least two sorted values that all lie within `gap` of the first."""
    found, reached = [], 0
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and values[end] - values[start] < gap:
            end += 1
        if end - start > 1 and end > reached:
            found.append(tuple(names[start:end]))
            reached = end
    return found
