"""Recommendations and the saturation law: known answers on made worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from harness.errors import UserError
from reports.recommend import recommend
from reports.statistics import saturation


def test_limits_are_kept_and_the_best_mean_wins(results):
    for limit in (2e5, 1e6, 1e9):
        for advice in recommend(results, parameters=limit):
            assert all(c.cell.trained <= limit for c in advice.candidates)
            assert advice.best.cell.mean == max(c.cell.mean for c in advice.candidates)
            assert advice.smallest.trained <= advice.best.cell.trained
    (advice,) = recommend(results, parameters=2e5, dataset="synth_cuhk")
    assert (advice.best.cell.label, advice.best.cell.budget) == ("up_person", "0.1%")
    assert "UP-Person at 0.1%" in advice.words()


def test_chances_add_up_and_follow_the_seed(results):
    one, again, other = (
        [c.chance for c in recommend(results, parameters=1e6, dataset="synth_rstp", seed=s)[0].candidates]
        for s in (0, 0, 1)
    )
    assert one == again != other
    assert sum(one) == pytest.approx(1)
    assert one == pytest.approx(other, abs=0.05)


def test_a_clear_winner_has_a_high_chance(making):
    study = making(seeds=3, methods=("lora", "up_person"), budgets=("1%",), places=("synth_cuhk",), holes=False)
    (advice,) = recommend(study)
    assert advice.best.cell.label == "up_person" and advice.best.chance > 0.9


def test_a_limit_that_nothing_meets_names_what_came_nearest(results):
    with pytest.raises(UserError, match=r"within the limits; expected Zero-shot needs 2,000,000,000 bytes"):
        recommend(results, memory=1e9)


def test_one_seed_each_gives_no_chance(making):
    study = making(seeds=1, methods=("lora", "prefix"), budgets=("1%",), places=("synth_cuhk",), holes=False)
    (advice,) = recommend(study)
    assert advice.best.chance is None
    assert "nobody knows" in advice.words()


SIZES = np.array([1e5, 3e5, 1e6, 3e6, 1e7])


def _world(rng, ceiling=72.0, drop=25.0, rate=0.6, spread=0.5, seeds=3):
    mean = ceiling - drop * (SIZES / SIZES[0]) ** -rate
    return [m + rng.normal(0, spread, seeds) for m in mean]


def test_law_finds_what_made_the_data():
    law = saturation(SIZES, _world(np.random.default_rng(0), spread=1e-6))
    assert (law.ceiling, law.drop, law.rate) == (
        pytest.approx(72, abs=0.3),
        pytest.approx(25, abs=0.3),
        pytest.approx(0.6, rel=0.03),
    )
    assert law.at([1e6])[0] == pytest.approx(72 - 25 * 10**-0.6, abs=0.05)


def test_law_against_scipys_search():
    for world in range(5):
        scores = _world(np.random.default_rng(world))
        law = saturation(SIZES, scores)
        means = [np.mean(s) for s in scores]
        (a, b, c), _ = curve_fit(lambda x, a, b, c: a - b * x**-c, SIZES / 1e5, means, p0=(70, 20, 0.5), maxfev=20000)
        ours = ((law.at(SIZES) - means) ** 2).sum()
        best = ((a - b * (SIZES / 1e5) ** -c - means) ** 2).sum()
        assert ours <= best * 1.001 + 1e-9
        assert law.ceiling == pytest.approx(a, abs=0.1)


def test_band_covers_the_truth_and_the_seed_acts():
    truth = 72 - 25 * (SIZES / 1e5) ** -0.6
    inside = []
    for world in range(150):
        low, high = saturation(SIZES, _world(np.random.default_rng([1, world])), draws=150).band(SIZES)
        inside.append((low <= truth) & (truth <= high))
    assert 0.85 <= np.mean(inside) <= 0.99
    scores = _world(np.random.default_rng(2))
    one, again, other = (saturation(SIZES, scores, draws=50, seed=s).interval() for s in (1, 1, 2))
    assert one == again != other


def test_parameters_needed():
    law = saturation(SIZES, _world(np.random.default_rng(0), spread=1e-6))
    assert law.needed(72 - 25 * 10**-0.6) == pytest.approx(1e6, rel=0.03)
    assert law.needed(73.0) is None
    assert law.needed(10.0) == 1e5


@pytest.mark.parametrize(("sizes", "seeds"), [([1, 2, 3], 2), ([1, 1, 2, 3], 2), ([1, 2, 3, 4], 1)])
def test_too_little_for_a_law(sizes, seeds):
    with pytest.raises(ValueError, match=r"sizes|seeds"):
        saturation(sizes, [[1.0] * seeds] * len(sizes))
