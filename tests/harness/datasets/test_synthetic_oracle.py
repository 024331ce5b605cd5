"""How well perfect eyes would do: the ladder rises, and ties count as the mean over all orders."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.synthetic import oracle
from harness.datasets.synthetic.people import SLOTS

FILES = {
    "cuhk": "CUHK-PEDES/reid_raw.json",
    "icfg": "ICFG-PEDES/ICFG-PEDES.json",
    "rstp": "RSTPReid/data_captions.json",
}


def records(folder: Path, layout: str) -> list[dict]:
    return json.loads((folder / FILES[layout]).read_text())


@pytest.mark.parametrize("name", ("cuhk", "icfg", "rstp"))
def test_ladder_rises(name, folders):
    ladder = oracle.ladder(folders[name])
    for metric in ("R1", "mAP", "mINP"):
        assert ladder["chance"][metric] < ladder["bag of words"][metric] < ladder["attributes"][metric] < 100
    test = [r for r in records(folders[name], name) if r["split"] == "test"]
    people = np.array([r["id"] for r in test])
    per_query = [np.mean(people == r["id"]) for r in test for _ in r["captions"]]
    assert ladder["chance"]["R1"] == pytest.approx(100 * np.mean(per_query))


def _metrics_by_loop(order: np.ndarray, match: np.ndarray) -> tuple[float, float, float]:
    ranks = [k + 1 for k, i in enumerate(order) if match[i]]
    ap = np.mean([(k + 1) / rank for k, rank in enumerate(ranks)])
    return float(ranks[0] == 1), float(ap), len(ranks) / ranks[-1]


def test_expected_value_over_ties_is_the_mean_over_all_orders():
    score = np.array([[2.0, 1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 2.0, 2.0, 1.0]])
    match = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 0, 0], [1, 0, 0, 1, 0]], dtype=bool)
    rows = []
    for s, m in zip(score, match, strict=True):
        orders = [p for p in itertools.permutations(range(5)) if all(s[a] >= s[b] for a, b in itertools.pairwise(p))]
        rows.append(np.mean([_metrics_by_loop(np.array(p), m) for p in orders], axis=0))
    found = oracle.expected(score, match)
    assert list(found.values()) == pytest.approx((100 * np.mean(rows, axis=0)).tolist())


def test_bag_does_not_bind_colours():
    said = [{"upper": "shirt", "upper_colour": "red", "lower_colour": "blue"}]
    seen = [
        {"upper": "shirt", "upper_colour": "red", "lower_colour": "blue"},
        {"upper": "shirt", "upper_colour": "blue", "lower_colour": "red"},
        {"upper": "shirt", "upper_colour": "red", "lower_colour": "green"},
        {"upper": "shirt", "lower_colour": "green"},
    ]
    assert oracle._bag(said, seen, oracle._COLOURS).tolist() == [[2.0, 2.0, 0.0, -1.0]]
    assert oracle._slots(said, seen, SLOTS).tolist() == [[3.0, -1.0, 1.0, 0.0]]
