"""Ranks, power and optimism against published tables, hand-computed numbers and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from reports.statistics import critical_difference, detectable, optimism, power, rank, seeds_needed

# Demsar (2006), Table 5a: critical values of the two-tailed Nemenyi test at 0.05 for 2 to 10 methods.
DEMSAR = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)


@pytest.mark.parametrize(("methods", "q"), enumerate(DEMSAR, start=2))
def test_nemenyi_against_the_published_table(methods, q):
    assert critical_difference(methods, 12) == pytest.approx(q * np.sqrt(methods * (methods + 1) / (6 * 12)), abs=1e-3)


def test_friedman_by_hand():
    scores = np.array([[9.0, 7, 5], [8, 6, 7], [9, 8, 5], [7, 6, 5]])
    found = rank(scores, ["a", "b", "c"])
    assert found.names == ("a", "b", "c")
    assert found.ranks == pytest.approx((1.0, 2.25, 2.75))
    # 12 N / (k (k + 1)) * (sum of squared mean ranks - k (k + 1)^2 / 4) = 4 * (13.625 - 12) = 6.5.
    assert found.p == pytest.approx(stats.chi2.sf(6.5, 2))
    assert found.tasks == 4


def test_ranks_share_ties_and_follow_a_slow_loop():
    scores = np.round(np.random.default_rng(3).uniform(0, 3, (7, 5)))
    expected = np.zeros(5)
    for row in scores:
        for i, value in enumerate(row):
            expected[i] += 1 + sum(v > value for v in row) + (sum(v == value for v in row) - 1) / 2
    found = rank(scores, list("abcde"))
    assert dict(zip(found.names, found.ranks, strict=True)) == pytest.approx(
        dict(zip("abcde", expected / 7, strict=True))
    )


def test_groups_are_the_maximal_runs_within_the_critical_difference():
    scores = np.random.default_rng(1).normal(0, 1, (6, 6)) + np.array([0, 0.4, 0.8, 2.5, 2.9, 3.5])
    found = rank(scores, list("abcdef"))
    at = dict(zip(found.names, found.ranks, strict=True))
    runs = [r for n in range(2, 7) for r in zip(*(found.names[i:] for i in range(n)), strict=False)]
    near = [r for r in runs if at[r[-1]] - at[r[0]] < found.difference]
    maximal = [r for r in near if not any(set(r) < set(o) for o in near)]
    assert set(found.groups) == set(maximal)
    assert len(found.groups) > 1


def test_alike_is_alike():
    found = rank(np.ones((4, 3)), ["a", "b", "c"])
    assert (found.p, found.ranks, found.groups) == (1.0, (2.0, 2.0, 2.0), (("a", "b", "c"),))


@pytest.mark.parametrize("scores", [np.ones((4, 2)), np.ones((1, 3)), np.array([[1, 2, np.nan], [1, 2, 3]])])
def test_ranking_refuses_what_it_cannot_rank(scores):
    with pytest.raises(ValueError, match=r"need scores|missing"):
        rank(scores, list("abc")[: scores.shape[1]])


def test_power_against_simulation():
    rng = np.random.default_rng(0)
    for effect, n in itertools.product((0.5, 1.5), (3, 8)):
        worlds = rng.normal(effect, 1.0, (20000, n))
        seen = stats.ttest_1samp(worlds, 0, axis=1).pvalue < 0.05
        assert power(effect, 1.0, n) == pytest.approx(seen.mean(), abs=0.01)


@pytest.mark.parametrize(("shift", "n"), [(0.3, 2), (1.0, 5), (0.4, 40), (0.05, 3000)])
def test_power_against_the_noncentral_t(shift, n):
    edge, away = stats.t.ppf(0.975, n - 1), shift * np.sqrt(n)
    assert power(shift, 1.0, n) == pytest.approx(
        stats.nct.sf(edge, n - 1, away) + stats.nct.cdf(-edge, n - 1, away), abs=1e-7
    )


def test_seeds_needed_against_the_textbook_and_a_scan():
    assert seeds_needed(0.5, 1.0) == 34  # Cohen: paired t test, d = 0.5, power 0.8, two-sided 5 %
    assert seeds_needed(0.8, 1.0) == 15
    for effect in (0.7, 1.1, 2.0, 5.0):
        scan = next(n for n in range(2, 200) if power(effect, 1.0, n) >= 0.8)
        assert seeds_needed(effect, 1.0) == scan
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-4, 1.0) is None
    assert seeds_needed(0.1, 0.0) == 2


def test_detectable_undoes_power():
    for n in (2, 3, 5, 20):
        found = detectable(1.3, n)
        assert power(found, 1.3, n) == pytest.approx(0.8, abs=1e-6)
        assert power(0.99 * found, 1.3, n) < 0.8
    assert detectable(1.3, 1) is None
    assert detectable(0.0, 3) == 0.0
    assert detectable(2.6, 4) == pytest.approx(2 * detectable(1.3, 4))


def test_optimism_by_hand():
    found = optimism(np.array([69.0, 70.0]), np.array([70.0, 70.0]), np.array([71.0, 73.0]))
    assert (found.gap.mean, found.regret.mean) == (2.0, 0.5)
    assert (found.last.mean, found.selected.mean, found.oracle.mean) == (69.5, 70.0, 72.0)
    assert found.gap.half == pytest.approx(12.706205, abs=1e-5)  # gaps 1 and 3, t(0.975, 1) = 12.706205
    with pytest.raises(ValueError, match="not paired"):
        optimism(np.ones(2), np.ones(3), np.ones(3))
