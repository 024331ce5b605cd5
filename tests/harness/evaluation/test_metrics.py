"""Metrics of ranks done by hand; undefined values are left out."""

import numpy as np
import pytest

from harness import registry
from harness.evaluation.metrics import mean_ap, mean_inp, rank_k
from harness.evaluation.ranking import Ranks


def ranks(gallery, *per_query):
    counts = [len(r) for r in per_query]
    return Ranks(
        np.array([v for r in per_query for v in r]),
        np.concatenate(([0], np.cumsum(counts))),
        gallery,
        np.flatnonzero(np.array(counts) == 0),
    )


def test_registered():
    assert set(registry.names("metrics")) >= {"rank_k", "mean_ap", "mean_inp"}


def test_rank_k():
    got = rank_k.measure(ranks(20, [1, 3], [5], [6, 7], [10], [11]))
    assert {k: v.tolist() for k, v in got.items()} == {
        "R1": [1, 0, 0, 0, 0],
        "R5": [1, 1, 0, 0, 0],
        "R10": [1, 1, 1, 1, 0],
    }


@pytest.mark.parametrize(
    "gallery, keys", [(4, ["R1"]), (5, ["R1", "R5"]), (9, ["R1", "R5"]), (10, ["R1", "R5", "R10"])]
)
def test_rank_k_is_undefined_above_the_gallery(gallery, keys):
    assert list(rank_k.measure(ranks(gallery, [2]))) == keys


def test_mean_ap():
    got = mean_ap.measure(ranks(9, [1, 2, 9], [4], [2, 3]))["mAP"]
    assert got == pytest.approx([(1 / 1 + 2 / 2 + 3 / 9) / 3, 1 / 4, (1 / 2 + 2 / 3) / 2], abs=1e-15)


def test_mean_inp():
    assert mean_inp.measure(ranks(9, [1, 2, 9], [4], [2, 3]))["mINP"] == pytest.approx([3 / 9, 1 / 4, 2 / 3], abs=1e-15)


@pytest.mark.parametrize("metric", [rank_k, mean_ap, mean_inp])
def test_unmatched_queries_have_no_value(metric):
    got, want = metric.measure(ranks(30, [], [1, 4], [], [2], [])), metric.measure(ranks(30, [1, 4], [2]))
    assert {k: v.tolist() for k, v in got.items()} == {k: v.tolist() for k, v in want.items()}
    assert all(v.dtype == np.float64 and v.shape == (2,) for v in got.values())
