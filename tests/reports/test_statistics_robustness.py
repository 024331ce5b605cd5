"""Relative drops: by hand, against a slow loop, and with what must be paired, clustered and signed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.statistics import Sample, apart, drop, mean_of, over_both, sample, share
from tests.reports.slow.numbers import drawn, variance

CLEAN, SHIFTED = np.array([50.0, 80.0]), np.array([40.0, 84.0])


@pytest.fixture
def made():
    """Right first matches in percent [seeds, queries], clean and shifted, of 24 queries of 8 people."""
    rng = np.random.default_rng(3)
    ease = np.repeat(rng.normal(0, 1, 8), 3) + rng.normal(0, 0.5, (3, 24))
    return 100.0 * (ease > -0.8), 100.0 * (ease > 0.2), np.repeat(np.arange(8), 3)


def test_a_drop_is_relative_signed_and_taken_seed_by_seed():
    """(50 - 40) / 50 = 20 %, (80 - 84) / 80 = -5 %; their mean is 7.5, where the drop of the means would be 4.6."""
    found = drop(Sample(CLEAN), Sample(SHIFTED))
    assert found.values.tolist() == pytest.approx([20.0, -5.0])
    interval = found.interval()
    assert interval.mean == pytest.approx(7.5)
    assert interval.half == pytest.approx(12.7062047 * 12.5, rel=1e-6)  # t of one degree, 25 / sqrt(2) / sqrt(2)
    assert share(Sample(SHIFTED), Sample(CLEAN)).values.tolist() == pytest.approx([80.0, 105.0])


def test_nothing_right_has_no_drop():
    assert not drop(Sample(np.array([50.0, 0.0])), Sample(np.array([40.0, 0.0]))).known
    assert not drop(sample(np.zeros((2, 4)), np.arange(4)), sample(np.ones((2, 4)), np.arange(4))).known
    with pytest.raises(ValueError):
        drop(Sample(np.array([50.0, 0.0])), Sample(CLEAN)).interval()


def test_an_interval_is_that_of_the_slow_loop(made):
    clean, shifted, person = made
    interval = drop(sample(clean, person), sample(shifted, person)).interval()
    times = drawn(8)
    means = []
    for weights in times:
        per_seed = []
        for s in range(3):
            was = sum(weights[person[q]] * clean[s, q] for q in range(24))
            left = sum(weights[person[q]] * shifted[s, q] for q in range(24))
            if was:
                per_seed.append(100 * (was - left) / was)
        if len(per_seed) == 3:
            means.append(sum(per_seed) / 3)
    own = [100 * (clean[s].mean() - shifted[s].mean()) / clean[s].mean() for s in range(3)]
    people, seeds = variance(means), variance(own) / 3
    df = (people + seeds) ** 2 / (people**2 / 7 + seeds**2 / 2)
    assert interval.mean == pytest.approx(sum(own) / 3) and interval.n == 3
    assert interval.half == pytest.approx(stats.t.ppf(0.975, df) * math.sqrt(people + seeds))


def test_clean_and_shifted_have_the_same_people_drawn(made):
    """Half of every query's score leaves half of the mean, whoever is drawn: the interval has no width."""
    clean, _, person = made
    found = drop(sample(clean, person), sample(clean / 2, person))
    assert np.allclose(found.drawn, 50) and found.interval().half == pytest.approx(0)


def test_queries_of_one_person_stand_or_fall_together(made):
    """Four copies of every query tell no more than one."""
    clean, shifted, person = made
    once = drop(sample(clean, person), sample(shifted, person)).interval()
    copies = [np.tile(values, 4) for values in (clean, shifted, person)]
    often = drop(sample(copies[0], copies[2]), sample(copies[1], copies[2])).interval()
    assert often.half == pytest.approx(once.half) and once.half > 0


def test_a_mean_alone_is_that_of_both_parts(made):
    clean, _, person = made
    one, other = sample(clean, person).interval(), over_both(clean, person)
    assert (one.mean, one.low, one.high, one.n) == pytest.approx((other.mean, other.low, other.high, other.n))


def test_means_of_samples_are_of_each_seed_and_draw(made):
    clean, shifted, person = made
    one, two = sample(clean, person), sample(shifted, person)
    both = mean_of([one, two])
    assert both.values == pytest.approx((one.values + two.values) / 2)
    assert both.drawn == pytest.approx((one.drawn + two.drawn) / 2) and both.people == 8
    assert mean_of([one, Sample(two.values)]).drawn is None


def test_differences_are_paired(made):
    clean, shifted, person = made
    one, two = sample(clean, person), sample(shifted, person)
    same = apart(one, one)
    assert (same.interval.mean, same.interval.half, same.p) == (0, 0, 1)
    gap, back = apart(one, two), apart(two, one)
    assert gap.interval.mean == pytest.approx(-back.interval.mean) and gap.p == pytest.approx(back.p)
    assert gap.interval.half < one.interval().half + two.interval().half
    alone = apart(one, two.at([0]))
    assert alone.interval.n == 3 and alone.interval.mean == pytest.approx((one.values - two.values[0]).mean())


def test_without_records_seeds_alone_tell():
    gap = apart(Sample(CLEAN), Sample(SHIFTED))
    assert gap.p == pytest.approx(stats.ttest_rel(CLEAN, SHIFTED).pvalue) and gap.interval.n == 2
    one = apart(Sample(CLEAN[:1]), Sample(SHIFTED[:1]))
    assert one.interval.ends is None and one.p == 1
