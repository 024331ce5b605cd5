"""Ranks of the matches: against the released code's numbers, a slow loop, cases done by hand, and by symmetry."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.evaluation import ranking
from harness.evaluation.metrics import mean_ap, mean_inp, rank_k
from harness.evaluation.ranking import rank_positives, rank_scores

FIXTURES = Path(__file__).parents[2] / "fixtures/oracle"


def means(ranks):
    return {k: 100 * v.mean() for m in (rank_k, mean_ap, mean_inp) for k, v in m.measure(ranks).items()}


def slow(scores, query_person, gallery_person):
    """The definition: position of each match after all others that score at least as high."""
    values = []
    for row, person in zip(scores, query_person, strict=True):
        match = gallery_person == person
        above = sorted(int((row[~match] >= s).sum()) for s in row[match])
        values.append([a + j + 1 for j, a in enumerate(above)])
    return values


def listed(ranks):
    return [ranks.values[a:b].tolist() for a, b in zip(ranks.offsets[:-1], ranks.offsets[1:], strict=True)]


def fixture(name):
    arrays = np.load(FIXTURES / "losses_rank_io.npz")
    return [torch.from_numpy(arrays[f"rank/{name}/{k}"]) for k in ("sim", "q_pids", "g_pids")]


@pytest.mark.parametrize("name", ["small", "ties"])
def test_equals_the_released_metric(name):
    expected = json.loads((FIXTURES / "losses_rank_schedule.json").read_text())["rank"][name]
    got = means(rank_scores(*fixture(name)))
    want = expected["t2i"] if name == "small" else expected["pessimistic"]
    assert got == pytest.approx({k: want[k] for k in got}, abs=1e-5)


def test_ties_stay_below_the_optimistic_bound():
    expected = json.loads((FIXTURES / "losses_rank_schedule.json").read_text())["rank"]["ties"]
    got = means(rank_scores(*fixture("ties")))
    assert all(got[k] <= expected["t2i"][k] + 1e-5 and got[k] <= expected["optimistic"][k] + 1e-5 for k in got)


def test_by_hand():
    # Query 0: match 0.9 first; match 0.5 has 0.9, 0.7 and the equal 0.5 of another identity before it: ranks 1, 4.
    # Query 1: one match, two others above: rank 3. Query 2: nobody of its identity.
    scores = torch.tensor([[0.9, 0.5, 0.7, 0.5], [0.3, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4]])
    ranks = rank_scores(scores, [0, 1, 9], [0, 0, 2, 1])
    assert listed(ranks) == [[1, 4], [4], []]
    assert ranks.unmatched.tolist() == [2] and ranks.queries == 2 and ranks.matched.tolist() == [0, 1]
    assert mean_ap.measure(ranks)["mAP"].tolist() == [(1 / 1 + 2 / 4) / 2, 1 / 4]
    assert mean_inp.measure(ranks)["mINP"].tolist() == [2 / 4, 1 / 4]
    assert {k: v.tolist() for k, v in rank_k.measure(ranks).items()} == {"R1": [1, 0]}


@pytest.fixture(params=["list", "compare", "sort"])
def kernel(request, monkeypatch):
    """Each way of counting in its turn, and the others out of reach."""
    share, limit = {"list": (1, 0), "compare": (-1, 1000), "sort": (-1, 0)}[request.param]
    monkeypatch.setattr(ranking, "SPARSE", share)
    monkeypatch.setattr(ranking, "COMPARE", {"cpu": limit})


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("persons", [3, 40])
def test_scores_equal_the_loop(levels, persons, kernel):
    rng = np.random.default_rng(levels + persons)
    for _ in range(5):
        scores = rng.integers(0, levels, (37, 53)).astype(np.float32)
        q, g = rng.integers(0, persons, 37), rng.integers(0, persons, 53)
        assert listed(rank_scores(torch.from_numpy(scores), q, g, block=8)) == slow(scores, q, g)


def embeddings(seed, queries=41, gallery=67, d=96, persons=9, copies=True):
    """Embeddings with exact duplicates, within and across identities, of different lengths."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(persons, d))
    q_person, g_person = rng.integers(0, persons + 1, queries), rng.integers(0, persons, gallery)
    q = rng.normal(size=(queries, d)) + centres[q_person % persons]
    g = rng.normal(size=(gallery, d)) + centres[g_person]
    if copies:
        g[rng.integers(0, gallery, 30)] = g[rng.integers(0, gallery, 30)]
        g[::7] *= 4
    q, g = (torch.from_numpy(x.astype(np.float32)) for x in (q, g))
    return q, g, q_person, g_person


def exact(q, g):
    """Cosines in integers: Python's do not round. Embeddings on the grid are what the module defines as the score."""
    q, g = (
        ((x := y.double()) / x.norm(dim=1, keepdim=True) * ranking.GRID).round().numpy().astype(int) for y in (q, g)
    )
    return np.array([[sum(map(int.__mul__, a.tolist(), b.tolist())) for b in g] for a in q], dtype=object)


@pytest.mark.parametrize("seed", range(3))
def test_embeddings_equal_the_loop_in_integers(seed, kernel):
    q, g, qp, gp = embeddings(seed, 17, 31)
    assert listed(rank_positives(q, g, qp, gp)) == slow(exact(q, g), qp, gp)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("spread", [0.0, 1e-7, 1e-4])
def test_nearly_constant_embeddings_equal_the_loop(monkeypatch, spread, dense, kernel):
    monkeypatch.setattr(ranking, "DENSE", 0 if dense else 1 << 40)
    rng = np.random.default_rng(5)
    base = rng.normal(size=50)
    q, g = (torch.from_numpy(base + spread * rng.normal(size=(n, 50))) for n in (13, 29))
    qp, gp = rng.integers(0, 4, 13), np.arange(29) % 4
    ranks = rank_positives(q, g, qp, gp)
    assert listed(ranks) == slow(exact(q, g), qp, gp)
    if not spread:
        others = np.repeat([29 - (gp == p).sum() for p in qp], ranks.positives)
        assert (ranks.values > others).all()


@pytest.mark.parametrize("seed", range(4))
def test_does_not_depend_on_order_or_block(seed):
    q, g, qp, gp = embeddings(seed, queries=90, gallery=300)
    rng = np.random.default_rng(seed)
    whole = listed(rank_positives(q, g, qp, gp))
    a, b = rng.permutation(len(q)), rng.permutation(len(g))
    for block in (1, 7, 64):
        shuffled = listed(rank_positives(q[a], g[b], qp[a], gp[b], block=block))
        assert [whole[i] for i in a] == shuffled


def test_settles_float32_noise(monkeypatch):
    """A product that is wrong by 1e-3 is noticed and gives the same ranks."""
    q, g, qp, gp = embeddings(1, queries=50, gallery=80)
    want = listed(rank_positives(q, g, qp, gp))
    settle = ranking._settle

    def noisy(scores, *rest):
        return settle(scores + 1e-3 * torch.randn(scores.shape, generator=torch.Generator().manual_seed(0)), *rest)

    monkeypatch.setattr(ranking, "_settle", noisy)
    assert listed(rank_positives(q, g, qp, gp)) == want


def test_inputs_are_left_alone():
    q, g, qp, gp = embeddings(0)
    for cast in (q, q.double()):
        before = cast.clone()
        rank_positives(cast, g.to(cast.dtype), qp, gp)
        assert torch.equal(cast, before)
    scores = q @ g.T
    before = scores.clone()
    rank_scores(scores, qp, gp)
    assert torch.equal(scores, before)


def test_a_constant_model_scores_the_worst():
    for d in (64, 500):
        ones = torch.ones(1, d)
        ranks = rank_positives(ones.expand(30, d), ones.expand(30, d), np.arange(30) % 10, np.arange(30) % 10)
        assert listed(ranks) == [[28, 29, 30]] * 30


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_bad_embeddings_are_named(bad, side):
    q, g, qp, gp = embeddings(0)
    (q if side == "query" else g)[7] = bad
    with pytest.raises(DataError, match=f"{side} row 7"):
        rank_positives(q, g, qp, gp)


def test_bad_scores_are_named():
    scores = torch.rand(4, 5)
    scores[2, 3] = float("nan")
    with pytest.raises(DataError, match="query 2"):
        rank_scores(scores, [0, 1, 2, 3], [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    "q, g, words",
    [
        ([], [1], "nothing to rank: the queries are empty"),
        ([1], [], "nothing to rank: the gallery are empty"),
        ([1], [2], "no query has a match"),
    ],
)
def test_nothing_to_rank(q, g, words):
    with pytest.raises(DataError, match=words):
        rank_positives(torch.ones(len(q), 3), torch.ones(len(g), 3), q, g)
