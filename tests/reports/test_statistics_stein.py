"""Stein's two-stage interval: by hand, and what it covers beside growing a sample until its interval is narrow."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from harness.study.precision import further
from harness.study.values import Precision
from reports.statistics import Design, asked, pilot, two_stage, two_stage_difference

PAGE = (Path(__file__).parents[2] / "docs" / "precision.md").read_text(encoding="utf-8")
VALUES = np.array([60.0, 61.0, 62.0, 63.0, 64.0, 66.0, 58.0])  # of seeds 0 to 6
T4 = 2.7764451051977987  # Student's t, 4 degrees of freedom, 97.5 %
STUDIES, WIDTH, LONGEST = 10_000, 0.5, 300


def design(first: int, width: float) -> Design:
    return Design(first, width, 40, "mean", None)


def test_number_and_interval_by_hand():
    s = math.sqrt(10 / 4)  # of 60 to 64
    assert asked(VALUES[:5], design(5, 1.0)) == 20 and (T4 * s) ** 2 == pytest.approx(19.27, abs=0.01)
    assert asked(VALUES[:5], design(5, 3.0)) == 5, "the pilot is enough"
    found = two_stage(VALUES, range(7), 5)
    assert (found.mean, found.n) == (VALUES.mean(), 7)
    assert found.half == pytest.approx(T4 * s / math.sqrt(7))
    wild = two_stage(np.array([*VALUES[:5], 0.0, 100.0]), range(7), 5)
    assert wild.half == found.half, "the pilot alone has a say"


def test_a_difference_and_its_p():
    found = two_stage_difference(VALUES - 60, range(7), 5)
    error = math.sqrt(10 / 4 / 7)
    assert found.interval.mean == pytest.approx(14 / 7) and found.interval.half == pytest.approx(T4 * error)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / error, 4))


def test_seeds_without_a_score_are_missing_in_the_pilot():
    seeds = (0, 2, 4, 5, 6)  # 1 and 3 diverged
    assert pilot(VALUES[list(seeds)], seeds, 5).tolist() == [60.0, 62.0, 64.0]
    half = two_stage(VALUES[list(seeds)], seeds, 5).half
    assert half == pytest.approx(stats.t.ppf(0.975, 2) * 2 / math.sqrt(5))
    assert two_stage(VALUES[4:], (4, 5, 6), 5).ends is None and asked(VALUES[4:5], design(5, 1.0)) is None
    assert two_stage_difference(VALUES[4:], (4, 5, 6), 5).p == 1.0


@pytest.mark.parametrize(("first", "width"), [(2, 1.0), (5, 0.3), (5, 1.0), (7, 2.0)])
def test_a_run_asks_for_what_reports_say(first, width):
    trial = {"budget": None, "dataset": {"dataset": "d", "options": {}}}
    cell, own = SimpleNamespace(label="a"), SimpleNamespace(row={"trial": trial}, ids=())
    told = further._told(cell, own, VALUES[:first].tolist(), True, Precision(first=first, width=width))
    assert told.wanted == asked(VALUES[:first], design(first, width))


@pytest.mark.parametrize("first", [5, 8])
def test_two_stages_cover_what_they_say_and_growing_does_not(first):
    drawn = np.random.default_rng(0).normal(size=(STUDIES, LONGEST))
    held, seeds = 0, 0
    for row in drawn:
        n = min(asked(row[:first], design(first, WIDTH)) or 0, LONGEST)
        low, high = two_stage(row[:n], range(n), first).ends or (0.0, 0.0)
        assert high - low <= 2 * WIDTH * (1 + 1e-9) or n == LONGEST
        held, seeds = held + (low <= 0 <= high), seeds + n
    grown, fewer = _grown(drawn, first)
    assert 0.94 <= held / STUDIES <= 0.97 and grown < 0.94
    numbers = (first, 100 * held / STUDIES, seeds / STUDIES, 100 * grown, fewer)
    row = re.search(rf"^\| {first} \|.*\|$", PAGE, re.M)
    assert row and row.group() == "| {} | {:.1f} % | {:.1f} | {:.1f} % | {:.1f} |".format(*numbers)


def _grown(drawn: np.ndarray, first: int) -> tuple[float, float]:
    """Share of studies whose interval holds 0, and their mean number of seeds, where one seed more is trained until
    the t interval of all is narrow enough."""
    n = np.arange(1, LONGEST + 1)
    mean = drawn.cumsum(axis=1) / n
    spread = np.sqrt(np.maximum((drawn**2).cumsum(axis=1) - n * mean**2, 0) / np.maximum(n - 1, 1))
    half = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * spread / np.sqrt(n)
    narrow = half <= WIDTH
    narrow[:, : first - 1] = False
    stop = narrow.argmax(axis=1)
    at = np.arange(len(drawn)), stop
    return float((np.abs(mean[at]) <= half[at]).mean()), float(n[stop].mean())
