"""Components of variance by hand, by simulation and where nothing can be told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from reports.cells import cells, home
from reports.spread.parts import of_cell, of_difference
from reports.statistics import Components, components
from reports.tables import variance

ALONE = np.arange(2)


def test_two_seeds_and_two_identities_by_hand():
    # Mean 5; seeds 3 and 7, identities 4 and 6; what is left is 1 in each place, with one degree of freedom.
    found = components(np.array([[1.0, 5], [7, 7]]), ALONE)
    # MS_s = 2 (4 + 4) / 1 = 16, MS_i = 2 (1 + 1) / 1 = 4, MS_c = 4.
    assert found == Components(5.0, 6.0, 0.0, 4.0, 2, 2)
    assert found.parts == (3.0, 0.0, 1.0)
    assert found.spread() == (4.0, 1.0)  # seeds and both / seeds; the degrees of freedom are those of seeds
    assert found.half() == pytest.approx(stats.t.ppf(0.975, 1) * 2)
    # Twice the seeds: (6 + 4 / 2) / 4 = 2 with three degrees of freedom; twice the identities: (6 + 4 / 4) / 2.
    assert found.half(n_seeds=4) == pytest.approx(stats.t.ppf(0.975, 3) * np.sqrt(2))
    assert found.half(n_identities=4) == pytest.approx(stats.t.ppf(0.975, 1) * np.sqrt(3.5))


def test_a_negative_estimate_is_set_to_zero_and_named():
    # Seeds 2 and 2, identities 2 and 2, 2 left in each place: MS_s = MS_i = 0, MS_c = 16.
    found = components(np.array([[0.0, 4], [4, 0]]), ALONE)
    assert found == Components(2.0, 0.0, 0.0, 16.0, 2, 2, ("seeds", "identities"))
    assert found.parts == (0.0, 0.0, 4.0)


def test_both_parts_count_in_the_interval():
    found = Components(50.0, 2.0, 90.0, 30.0, 5, 60)
    by_seed, by_identity = (2 + 30 / 60) / 5, 90 / 60
    df = (by_seed + by_identity) ** 2 / (by_seed**2 / 4 + by_identity**2 / 59)
    assert found.spread() == pytest.approx((by_seed + by_identity, df))
    assert sum(found.parts) == pytest.approx(by_seed + by_identity)


def test_queries_of_one_person_stand_together():
    """Ten equal queries for each of six people are six observations, and not sixty."""
    rng = np.random.default_rng(0)
    each = rng.normal(50, 9, (3, 6))
    once, tenfold = components(each, np.arange(6)), components(np.repeat(each, 10, axis=1), np.repeat(np.arange(6), 10))
    assert tenfold.n_identities == 6
    assert dataclasses.astuple(tenfold)[:4] == pytest.approx(dataclasses.astuple(once)[:4])


def test_people_with_unequal_queries_count_by_these():
    """The mean is that of queries, and a shift of a whole seed is the seeds' alone."""
    person = np.repeat([3, 1, 2], [1, 4, 7])
    values = np.random.default_rng(1).normal(50, 9, (1, 12)) + np.array([[0.0], [4.0]])
    found = components(values, person)
    assert found.mean == pytest.approx(values.mean())
    assert (found.seeds, found.joint) == pytest.approx((8.0, 0.0), abs=1e-9)


@pytest.mark.parametrize("drawn", ["normal", "bernoulli"])
def test_components_are_recovered(drawn):
    """Over 400 drawn studies of 4 seeds and 30 people with 2 queries each."""
    rng = np.random.default_rng(2)
    studies, s, i = 400, 4, 30
    a, b, c = (rng.normal(0, scale, (studies, *shape)) for scale, shape in ((2, (s, 1)), (9, (1, i)), (6, (s, i))))
    rate = np.repeat(50 + a + b + c, 2, axis=2)
    values = rate + rng.normal(0, 5, rate.shape)
    if drawn == "bernoulli":
        values = 100.0 * (rng.uniform(0, 100, rate.shape) < rate)
    person = np.repeat(np.arange(i), 2)
    found = [components(one, person) for one in values]
    # Of two queries the residual is half: 25 / 2, or 100^2 p (1 - p) / 2 in the mean of p.
    residual = 25 / 2 if drawn == "normal" else (2500 - (4 + 81 + 36)) / 2
    # Estimates below zero are kept out of the mean by the cut, so only what is rarely cut is held to its value.
    joint = np.array([one.joint for one in found])
    assert joint.mean() == pytest.approx(36 + residual, rel=0.03)
    raw = np.array([_uncut(one) for one in np.reshape(values, (studies, s, i, 2)).mean(axis=3)])
    assert raw[:, 0].mean() == pytest.approx(4, abs=4 * raw[:, 0].std() / 20)
    assert raw[:, 1].mean() == pytest.approx(81, abs=4 * raw[:, 1].std() / 20)
    cut = np.array([[one.seeds, one.identities] for one in found])
    assert cut == pytest.approx(np.maximum(raw, 0), abs=1e-9)
    assert [one.negative for one in found] == [
        tuple(name for name, v in zip(("seeds", "identities"), row, strict=True) if v < -1e-9) for row in raw
    ]


def _uncut(z: np.ndarray) -> tuple[float, float]:
    """Seeds and identities as mean covariances: of two identities over seeds, and of two seeds over identities."""
    across, within = np.cov(z.T), np.cov(z)
    return tuple(float((m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))) for m in (across, within))


def test_the_interval_holds_the_truth():
    """In 95 of 100 drawn studies; an interval for other seeds alone does so in far fewer."""
    rng = np.random.default_rng(3)
    studies, s, i = 1000, 5, 40
    a, b, c = (rng.normal(0, scale, (studies, *shape)) for scale, shape in ((1, (s, 1)), (9, (1, i)), (9, (s, i))))
    values = 50 + a + b + c
    within = [abs(found.mean - 50) <= found.half() for one in values if (found := components(one, np.arange(i)))]
    assert np.mean(within) == pytest.approx(0.95, abs=0.025)
    scores = values.mean(axis=2)
    alone = stats.t.ppf(0.975, s - 1) * scores.std(axis=1, ddof=1) / np.sqrt(s)
    assert np.mean(abs(scores.mean(axis=1) - 50) <= alone) < 0.85


def test_one_seed_or_one_identity_has_none():
    assert components(np.ones((1, 4)), np.arange(4)) is None
    assert components(np.ones((3, 4)), np.zeros(4)) is None
    with pytest.raises(ValueError, match="4 values but 3 identities"):
        components(np.ones((2, 4)), np.arange(3))


def test_nothing_varies():
    found = components(np.full((3, 4), 50.0), np.arange(4))
    assert (found.parts, found.negative, found.half()) == ((0.0, 0.0, 0.0), (), 0.0)
    assert variance.narrows(found) == "neither"


def test_the_parts_tell_which_more_helps():
    assert variance.narrows(Components(50.0, 9.0, 1.0, 1.0, 3, 60)) == "seeds"
    assert variance.narrows(Components(50.0, 0.1, 90.0, 1.0, 3, 60)) == "identities"


def test_a_cell_says_why_it_has_no_components(results):
    found = {(c.label, c.budget, c.dataset): c for c in home(cells(results))}
    assert of_cell(results, found["adapter", "0.5%", "synth_cuhk"]) == (None, "one seed")
    assert of_cell(results, found["prefix", "5%", "synth_cuhk"]) == (None, "infeasible")
    bare = dataclasses.replace(results, queries=results.queries.iloc[:0])
    lora = found["lora", "1%", "synth_cuhk"]
    assert of_cell(bare, lora) == (None, "no records")
    assert of_cell(bare, found["adapter", "0.5%", "synth_cuhk"]) == (None, "one seed")
    assert not variance.applies(bare) and variance.applies(results)
    row = next(r for r in variance.draw(bare).rows if (r["method"], r["budget"]) == ("LoRA", "1%"))
    assert (row["narrows"], row["R1"].half, row.get("seeds")) == ("no records", None, None)


def test_a_difference_is_paired(results):
    from reports.compare import records_of

    found = {(c.label, c.budget, c.dataset): c for c in home(cells(results))}
    a, b = found["lora", "1%", "synth_cuhk"], found["prefix", "1%", "synth_cuhk"]
    made, why = of_difference(records_of(results), a, b)
    one, two, person = records_of(results).aligned(a, b, "R1")
    assert why == "" and made == components(one - two, person)
    assert made.mean == pytest.approx(a.score - b.score)


def test_time_on_processors_counts_each_of_them(results):
    trials = results.trials.assign(seconds_total=10.0, threads=3, device="cpu")
    assert set(variance._seconds(dataclasses.replace(results, trials=trials)).values()) == {30.0}
    assert set(variance._seconds(dataclasses.replace(results, trials=trials.assign(device="cuda"))).values()) == {10.0}
