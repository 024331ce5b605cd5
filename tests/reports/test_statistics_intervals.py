"""Intervals against hand-computed numbers, scipy's own and slow loops; every seed acts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reports.statistics import over_both, over_identities, over_seeds, strays


def test_seeds_by_hand_and_by_scipy():
    # 1..5: mean 3, deviation sqrt(2.5), t(0.975, 4) = 2.776445: 2.776445 * 1.581139 / sqrt(5) = 1.963243.
    found = over_seeds(np.array([1.0, 2, 3, 4, 5]))
    assert (found.mean, found.n) == (3.0, 5)
    assert found.half == pytest.approx(1.963243, abs=1e-6)
    values = np.random.default_rng(0).normal(70, 2, 7)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = over_seeds(values)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.8)
    assert over_seeds(values, level=0.8).low == pytest.approx(low)


def test_one_seed_has_no_interval():
    found = over_seeds(np.array([70.0]))
    assert (found.mean, found.low, found.high, found.half, found.n) == (70.0, None, None, None, 1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_seeds_refuse_what_is_no_score(values):
    with pytest.raises(ValueError, match=r"no values|not finite"):
        over_seeds(np.array(values))


def _crossed(rng, people=50, each=6, seeds=1, person=1.0, seed=0.0, noise=0.5):
    index = np.repeat(np.arange(people), each)
    easy = rng.normal(0, person, people)[index]
    values = easy + rng.normal(0, seed, (seeds, 1)) + rng.normal(0, noise, (seeds, people * each))
    return values, index


@pytest.mark.parametrize(
    ("values", "far"),
    [
        ([43.0, 44.1, 42.0, 2.3, 43.5], [2.3]),
        ([43.0, 44.1, 42.0, 2.3, 43.5, 2.5, 43.7], [2.3, 2.5]),  # where a test for one outlier sees none
        ([40.0, 40.0, 40.0, 49.9], []),  # few queries: equal scores, and one that is ten points off at most
        ([40.0, 40.0, 40.0, 50.1], [50.1]),
        ([20.0, 30.0, 40.0, 50.0, 60.0], []),  # wide, and normal
        ([44.0, 2.0], []),  # which of two?
        ([7.0], []),
    ],
)
def test_a_training_that_failed_strays_and_a_wide_spread_does_not(values, far):
    assert strays(np.array(values)).tolist() == far


def test_hardly_a_normal_sample_strays():
    rng = np.random.default_rng(0)
    found = [len(strays(rng.normal(40, 4, n))) > 0 for n in (5, 8, 16) for _ in range(1000)]
    assert sum(found) < 60  # of small samples the median deviation is now and then far too small


def test_identities_against_a_slow_loop():
    values, person = _crossed(np.random.default_rng(1), people=9, each=3)
    values = values[0][:-2]
    person = person[:-2] * 7 + 3  # names that are not 0..n-1, and one person with fewer queries
    times = np.random.default_rng(4).multinomial(9, np.full(9, 1 / 9), size=200)
    means = []
    for row in times:
        drawn = [v for p, n in zip(np.unique(person), row, strict=True) for v in np.tile(values[person == p], n)]
        means.append(np.mean(drawn))
    found = over_identities(values, person, draws=200, seed=4)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == (
        pytest.approx(np.quantile(means, 0.025)),
        pytest.approx(np.quantile(means, 0.975)),
    )
    assert found.n == 9


def test_identities_against_the_cluster_robust_formula():
    values, person = _crossed(np.random.default_rng(2), people=400)
    values = values[0]
    sums = np.bincount(person, values - values.mean())
    error = np.sqrt((sums**2).sum()) / len(values)
    found = over_identities(values, person, draws=4000)
    assert found.half == pytest.approx(1.96 * error, rel=0.05)
    # Queries taken as independent would claim far too much.
    assert found.half > 2 * 1.96 * values.std() / np.sqrt(len(values)) * 0.9


def test_every_seed_acts_and_repeats():
    values, person = _crossed(np.random.default_rng(3), seeds=3, seed=0.3)
    one, again, other = (over_identities(values[0], person, seed=s) for s in (1, 1, 2))
    assert one == again != other
    one, again, other = (over_both(values, person, seed=s) for s in (1, 1, 2))
    assert one == again != other


def test_both_is_seeds_alone_where_queries_do_not_differ():
    scores = np.array([60.0, 62.0, 61.0])
    values, person = np.repeat(scores[:, None], 40, axis=1), np.repeat(np.arange(10), 4)
    found, alone = over_both(values, person), over_seeds(scores)
    assert (found.mean, found.low, found.high) == tuple(map(pytest.approx, (alone.mean, alone.low, alone.high)))


def test_both_is_queries_alone_where_seeds_do_not_differ():
    values, person = _crossed(np.random.default_rng(5), people=300)
    found = over_both(np.repeat(values, 4, axis=0), person, draws=4000)
    assert found.half == pytest.approx(over_identities(values[0], person, draws=4000).half, rel=0.03)


def test_both_covers_the_truth():
    """In 300 made worlds with known mean 0, the interval holds it in about 95 %; the parts alone hold it less often."""
    hits = np.zeros(3)
    for world in range(300):
        values, person = _crossed(np.random.default_rng([9, world]), people=40, each=3, seeds=4, seed=0.25)
        found = (over_both(values, person, draws=300), over_seeds(values.mean(axis=1)))
        found += (over_identities(values[0], person, draws=300),)
        hits += [i.low <= 0 <= i.high for i in found]
    both, seeds, identities = hits / 300
    assert 0.92 <= both <= 0.99
    assert seeds < both - 0.05
    assert identities < both - 0.03


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 values but 2"):
        over_identities(np.ones(3), np.array([0, 1]))


def test_both_adds_the_two_variances_by_hand():
    values, person = _crossed(np.random.default_rng(8), people=12, each=3, seeds=4, seed=0.3)
    values, person = values[:, :-1], person[:-1]
    mean = values.mean(axis=0)
    drawn = []
    for row in np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), size=300):
        drawn.append(np.concatenate([np.tile(mean[person == p], n) for p, n in enumerate(row)]).mean())
    queries, seeds = np.var(drawn, ddof=1), np.var(values.mean(axis=1), ddof=1) / 4
    df = (queries + seeds) ** 2 / (queries**2 / 11 + seeds**2 / 3)
    found = over_both(values, person, draws=300, seed=5)
    assert found.half == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(queries + seeds))
