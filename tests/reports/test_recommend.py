"""Recommendations and the saturation law: known answers on made worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from harness.errors import UserError
from reports.limits import parse
from reports.recommend import further_seeds, recommend
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
    with pytest.raises(UserError, match=r"within the limits; expected Zero-shot needs 1.9 GiB of memory"):
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


def test_what_cannot_be_told_apart_is_said_with_the_seeds_it_would_take(results):
    (advice,) = recommend(results, dataset="synth_icfg", limits=[parse("parameters", "1%")])
    words = advice.words()
    assert max(map(len, words.splitlines())) <= 80
    tied = {id(c) for c in advice.ties}
    assert tied
    for choice in advice.candidates[1:]:
        assert (choice.p > 0.05) == (id(choice.cell) in tied)
        assert choice.behind.interval.mean == pytest.approx(advice.best.cell.mean - choice.cell.mean, abs=1e-6) or (
            len(choice.cell.seeds) != len(advice.best.cell.seeds)
        )
    words = " ".join(words.split())
    assert "cannot be told from it with these 3 seeds" in words and "within 1 % of all parameters" in words


def test_further_seeds_by_simulation():
    """With that many seeds more the paired t test sees the difference in four of five worlds."""
    from types import SimpleNamespace

    from scipy import stats

    a = SimpleNamespace(seeds=(0, 1, 2), values=(70.0, 71.5, 70.4))
    b = SimpleNamespace(seeds=(0, 1, 2), values=(69.0, 69.9, 70.1))
    gaps = np.subtract(a.values, b.values)
    more = further_seeds(a, b, level=0.05)
    rng = np.random.default_rng(0)
    for seeds, low, high in ((3 + more, 0.8, 0.93), (2 + more, 0.6, 0.81)):
        worlds = rng.normal(gaps.mean(), gaps.std(ddof=1), (40_000, seeds))
        assert low <= (stats.ttest_1samp(worlds, 0, axis=1).pvalue < 0.05).mean() <= high
    assert further_seeds(a, SimpleNamespace(seeds=(5,), values=(1.0,))) is None
    assert further_seeds(a, a) is None  # no difference: no number of seeds shows one


def test_a_grid_is_chosen_on_val_and_never_on_test(making):
    """The point that is best on test is planted to be worst on val: it must not be advised."""
    import dataclasses

    study = making(seeds=2, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), holes=False,
                   lrs=(1e-4, 1e-3, 1e-2), cross=False)  # fmt: skip
    best = study.trials.loc[study.trials["lr"] == 1e-2, "id"]
    at = study.scores["id"].isin(best) & (study.scores["choice"] == "selected")
    for split, shift in (("test", 20.0), ("val", -20.0)):
        rows = at & (study.scores["split"] == split)
        study = dataclasses.replace(study, scores=study.scores.assign(value=study.scores["value"] + shift * rows))
    (advice,) = recommend(study)
    assert len(advice.candidates) == 1
    val = study.scores.query("metric == 'R1' and split == 'val'").merge(study.trials[["id", "lr"]], on="id")
    assert dict(advice.best.cell.variant)["recipe.lr"] == val.groupby("lr")["value"].mean().idxmax() != 1e-2
    assert any("not best on val (2)" in line for line in advice.over)


def test_json_has_the_numbers(results):
    import json

    (advice,) = recommend(results, parameters=1e6, dataset="synth_cuhk")
    plain = json.loads(json.dumps(advice.as_dict()))
    assert plain["best"]["mean"] == advice.best.cell.mean and plain["best"]["told_from_best"] is None
    assert plain["limits"] == {"parameters": 1e6}
    assert len(plain["candidates"]) == len(advice.candidates)
    assert all(c["trained"] <= 1e6 for c in plain["candidates"])


def test_every_drawn_law_is_the_best_of_a_slow_search():
    rng = np.random.default_rng(5)
    scores = [
        list(60 - 9 * (size / 1e5) ** -0.6 + rng.normal(0, 0.7, seeds))
        for size, seeds in zip(SIZES, (2, 5, 3, 4, 5, 5), strict=False)
    ]
    sizes = SIZES[: len(scores)]
    law = saturation(sizes, scores, draws=20, seed=3)
    weight = np.array([len(s) for s in scores], float)
    fitted = law.at(sizes)
    drawn = fitted + np.random.default_rng(3).normal(0, 1, (20, len(sizes))) * law.spread / np.sqrt(weight)
    for k, row in enumerate(drawn):
        best = (np.inf, 0.0, 0.0, 0.0)
        for rate in np.geomspace(0.05, 4.0, 120):
            basis = np.stack([np.ones(len(sizes)), -((sizes / sizes.min()) ** -rate)], axis=1)
            root = np.sqrt(weight)[:, None]
            (ceiling, drop), *_ = np.linalg.lstsq(basis * root, row * root[:, 0], rcond=None)
            if drop < 0:
                ceiling, drop = np.average(row, weights=weight), 0.0
            error = (weight * (row - basis @ [ceiling, drop]) ** 2).sum()
            best = min(best, (error, ceiling, drop, rate))
        assert (law.ceilings[k], law.drops[k], law.rates[k]) == pytest.approx(best[1:], rel=1e-6)


def test_a_law_never_falls_and_says_nothing_far_outside_the_data():
    law = saturation(SIZES, [[60.0 - k, 61.0 - k, 62.0 - k] for k in range(5)], draws=50)
    assert law.drop == 0 and law.ceiling == pytest.approx(59.0)
    assert (law.drops >= 0).all()
    slow = saturation(SIZES, _world(np.random.default_rng(0), spread=1e-6, rate=0.1))
    far = slow.ceiling - slow.drop * (1.2e8 / SIZES[0]) ** -slow.rate
    near = slow.ceiling - slow.drop * (8e7 / SIZES[0]) ** -slow.rate
    assert slow.needed(far) is None and slow.needed(near) == pytest.approx(8e7, rel=1e-6)
