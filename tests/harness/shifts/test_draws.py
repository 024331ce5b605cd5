"""Random numbers of shifts: the same for ever, in range, and their own for each name, seed and index."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.shifts._draws import Draws

UNIFORM, INTEGERS = [0.45068526304333556, 0.638189819233342, 0.6685036097609064], [345, 877, 928]
PERMUTATION, NORMAL = [5, 3, 1, 2, 0, 4], [0.9214937861844983, 1.674590550331389]


def test_the_numbers_are_these_for_ever():
    """Written down once: seeding and raw bits of PCG64 and what is made of them."""
    draw = Draws("occlusion", 3, 7)
    assert draw.uniform(3).tolist() == UNIFORM
    assert draw.integers(1000, 3).tolist() == INTEGERS
    assert draw.permutation(6).tolist() == PERMUTATION
    assert draw.normal(2) == pytest.approx(NORMAL, abs=1e-12)


def test_name_seed_and_index_have_their_own_numbers():
    given = [("a", 0, 0), ("b", 0, 0), ("a", 1, 0), ("a", 0, 1), ("a", 1, 1)]
    assert len({float(Draws(*each).uniform(1)[0]) for each in given}) == len(given)
    assert Draws("a", 0, 0).uniform(4).tolist() == Draws("a", 0, 0).uniform(4).tolist()


def test_laws():
    draw = Draws("a", 0, 0)
    uniform, normal, whole = draw.uniform(4000), draw.normal(4001), draw.integers(5, 4000)
    assert uniform.min() >= 0 and uniform.max() < 1 and stats.kstest(uniform, "uniform").pvalue > 0.01
    assert len(normal) == 4001 and stats.kstest(normal, "norm").pvalue > 0.01
    first, second = normal[:2001], normal[2001:]
    assert abs(np.corrcoef(first[:2000], second)[0, 1]) < 0.1 and len(set(normal.tolist())) == 4001
    assert stats.chisquare(np.bincount(whole, minlength=5)).pvalue > 0.01
    assert sorted(draw.permutation(50)) == list(range(50))
    places = np.array([Draws("a", 0, i).permutation(4)[0] for i in range(800)])
    assert stats.chisquare(np.bincount(places, minlength=4)).pvalue > 0.01


def test_captions_have_no_other_image():
    with pytest.raises(ValueError, match="no other image"):
        Draws("a", 0, 0).other()
