"""Paired tests against hand-computed numbers, enumeration and slow loops; every seed acts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reports.statistics import by_seed, difference, holm, mcnemar, over_both, paired_bootstrap, wilcoxon


def test_mcnemar_by_hand():
    # A alone right 8 times, B alone twice: 2 * (C(10,0) + C(10,1) + C(10,2)) / 2^10 = 112 / 1024.
    a = np.array([1] * 8 + [0] * 2 + [1] * 5 + [0] * 3, bool)
    b = np.array([0] * 8 + [1] * 2 + [1] * 5 + [0] * 3, bool)
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b, found.both, found.neither) == (8, 2, 5, 3)
    assert found.p == pytest.approx(112 / 1024)
    assert mcnemar(b, a).p == found.p
    assert mcnemar(a, a).p == 1.0


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (3, 3), (1, 12), (30, 50)])
def test_mcnemar_by_counting(only_a, only_b):
    a = np.array([1] * only_a + [0] * only_b, bool)
    n, few = only_a + only_b, min(only_a, only_b)
    expected = min(1.0, 2 * sum(math.comb(n, k) for k in range(few + 1)) / 2**n)
    assert mcnemar(a, ~a).p == pytest.approx(expected)


def _two(rng, effect, people=60, each=4, seeds=1):
    person = np.repeat(np.arange(people), each)
    b = rng.normal(0, 1, people)[person] + rng.normal(0, 0.5, (seeds, people * each))
    return b + effect + rng.normal(0, 0.4, people)[person] + rng.normal(0, 0.5, b.shape), b, person


def test_paired_bootstrap_against_the_cluster_z_test():
    for effect in (0.0, 0.1, 0.25):
        a, b, person = _two(np.random.default_rng(1), effect, people=300)
        gap = (a - b)[0]
        sums = np.bincount(person, gap - gap.mean())
        z = gap.mean() / (np.sqrt((sums**2).sum()) / len(gap))
        mean, p = paired_bootstrap(a[0], b[0], person, draws=20000)
        assert mean == pytest.approx(gap.mean())
        assert p == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.02)


def test_paired_bootstrap_is_fair_under_no_difference():
    found = []
    for world in range(200):
        a, b, person = _two(np.random.default_rng([3, world]), 0.0)
        found.append(paired_bootstrap(a[0], b[0], person, draws=400, seed=world)[1])
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.10
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_seeds_act():
    a, b, person = _two(np.random.default_rng(6), 0.05, seeds=3)
    one, again, other = (paired_bootstrap(a[0], b[0], person, draws=500, seed=s) for s in (1, 1, 2))
    assert one == again != other
    one, again, other = (difference(a, b, person, seed=s) for s in (1, 1, 2))
    assert one == again != other


def test_difference_is_the_interval_of_the_differences_and_its_p_agrees_with_it():
    rng = np.random.default_rng(7)
    for effect in (0.0, 0.12, 0.2, 0.5):
        a, b, person = _two(rng, effect, seeds=3)
        found = difference(a, b, person)
        assert found.interval == over_both(a - b, person)
        assert (found.p < 0.05) == (found.interval.low > 0 or found.interval.high < 0)
        assert found.p == pytest.approx(difference(b, a, person).p)


def test_by_seed_is_the_paired_t_test():
    a, b = np.array([70.1, 71.0, 69.5, 70.7]), np.array([69.0, 70.2, 69.3, 69.1])
    assert by_seed(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert by_seed(a[:1], b[:1]).p == 1.0
    assert by_seed(a[:1], b[:1]).interval.low is None


@pytest.mark.parametrize(
    "gap",
    [[1.0, 2, 3, 4, 5, 6], [3.0, -1, 4, -2, 5, 6], [1.0, 1, -1, 2, 2, 3], [0.0, 1, 2, -3, 4, 0], [5.0], [0.0, 0.0]],
)
def test_wilcoxon_by_enumeration(gap):
    kept = np.array([g for g in gap if g])
    found = wilcoxon(np.array(gap), np.zeros(len(gap)))
    if not len(kept):
        assert found == 1.0
        return
    ranks = stats.rankdata(np.abs(kept))
    seen = ranks[kept > 0].sum()
    middle = ranks.sum() / 2
    every = [ranks[np.array(signs)].sum() for signs in itertools.product([True, False], repeat=len(kept))]
    expected = np.mean([abs(w - middle) >= abs(seen - middle) - 1e-9 for w in every])
    assert found == pytest.approx(expected)


def test_wilcoxon_of_few_pairs_cannot_be_significant():
    assert wilcoxon(np.arange(1.0, 6), np.zeros(5)) == pytest.approx(2 / 32)


def test_holm_by_hand_and_by_definition():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.uniform(0, 0.2, rng.integers(1, 7))
        rejected, left = set(), sorted(range(len(p)), key=lambda i: p[i])
        while left and p[left[0]] <= 0.05 / len(left):
            rejected.add(left.pop(0))
        assert {i for i in range(len(p)) if holm(p)[i] <= 0.05} == rejected
    assert holm(np.array([])).shape == (0,)


def test_what_is_not_paired_is_refused():
    for call in (lambda: mcnemar(np.ones(2), np.ones(3)), lambda: difference(np.ones(2), np.ones(3), np.ones(2))):
        with pytest.raises(ValueError, match="not paired"):
            call()


def test_paired_bootstrap_counts_the_data_itself():
    person = np.arange(40)
    right = np.ones(40)
    assert paired_bootstrap(right, 0.1 * (person % 2), person, draws=99)[1] == pytest.approx(1 / 100)
