"""Orders, samplers and batches: pure, complete, resumable."""

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.data.pipeline import batches
from harness.data.split import Split
from harness.errors import UserError


def split(images=30, captions=70, persons=11, seed=0):
    rng = np.random.default_rng(seed)
    return Split(
        Path("nowhere"),
        tuple(f"{i}.png" for i in range(images)),
        np.sort(np.concatenate((np.arange(persons), rng.integers(0, persons, images - persons)))),
        tuple(f"caption {i}" for i in range(captions)),
        np.concatenate((np.arange(images), rng.integers(0, images, captions - images))),
        tuple(str(i) for i in range(persons)),
    )


def test_order_is_a_permutation_and_pure():
    a = batches.order(1000, 1, 2)
    assert a.dtype == np.int64 and sorted(a.tolist()) == list(range(1000))
    assert np.array_equal(a, batches.order(1000, 1, 2))
    for other in (batches.order(1000, 2, 2), batches.order(1000, 1, 3)):
        assert (a == other).sum() < 20
    # Every value is equally likely at every place: mean and spread of the places of sample 0.
    places = np.array([int(np.flatnonzero(batches.order(50, s, 0) == 0)[0]) for s in range(2000)])
    assert abs(places.mean() - 24.5) < 1.5 and abs(places.std() - np.sqrt((50**2 - 1) / 12)) < 1


@pytest.mark.parametrize("persons, instances", [(4, 4), (11, 2), (3, 1), (2, 16)])
def test_balanced(persons, instances):
    data = split()
    person = data.caption_person
    counts = np.bincount(person)
    got = batches.balanced(person, persons, instances, 3, 4)
    assert got.shape == (-(-70 // (persons * instances)), persons * instances)
    for batch in got:
        groups = person[batch].reshape(persons, instances)
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0])) == persons
        for rows, p in zip(batch.reshape(persons, instances), groups[:, 0], strict=True):
            assert len(set(rows)) == min(instances, counts[p])
    assert np.array_equal(got, batches.balanced(person, persons, instances, 3, 4))
    assert not np.array_equal(got, batches.balanced(person, persons, instances, 3, 5))


def test_balanced_treats_identities_alike():
    person = split().caption_person
    drawn = np.concatenate([person[batches.balanced(person, 4, 2, 0, e).ravel()] for e in range(200)])
    share = np.bincount(drawn, minlength=11) / len(drawn)
    assert np.abs(share - 1 / 11).max() < 0.01
    turns = [person[batches.balanced(person, 11, 1, 0, 0)[t]].tolist() for t in range(6)]
    assert len({tuple(t) for t in turns}) == 6 and all(sorted(t) == list(range(11)) for t in turns)
    seen = {int(i) for e in range(200) for i in batches.balanced(person, 4, 2, 0, e).ravel()}
    assert len(seen) == 70


@pytest.mark.parametrize("persons, each, instances", [(2, 7, 2), (3, 9, 4), (5, 12, 3), (4, 8, 8), (6, 5, 3)])
def test_an_identity_gives_all_its_samples_before_one_again(persons, each, instances):
    """Within an epoch its samples come round in one order; another epoch has another order."""
    rng = np.random.default_rng(persons)
    person = rng.permutation(np.repeat(np.arange(2 * persons), rng.integers(each - 1, each + 2, 2 * persons)))
    starts = []
    for epoch in range(20):
        drawn = batches.balanced(person, persons, instances, 5, epoch)
        for who in range(2 * persons):
            own = np.flatnonzero(person == who)
            taken = [int(i) for batch in drawn for i in batch if person[i] == who]
            assert len(taken) >= instances and set(taken) <= set(own)
            windows = [taken[k : k + len(own)] for k in range(max(1, len(taken) - len(own) + 1))]
            assert all(len(set(window)) == len(window) for window in windows), "one again while others wait"
            if who == 0:
                starts.append(taken[:instances])
    own = np.flatnonzero(person == 0)
    others = [batches.balanced(person, persons, instances, seed, 0) for seed in range(20)]
    by_seed = [[int(i) for i in drawn.ravel() if person[i] == 0][:instances] for drawn in others]
    for found in (starts, by_seed):
        assert {i for start in found for i in start} == set(own), "all of them begin an epoch at times"
        assert len({tuple(start) for start in found}) > 3


def test_balanced_needs_enough_identities():
    with pytest.raises(UserError, match="12 identities from a split with 11"):
        batches.balanced(split().caption_person, 12, 4, 0, 0)


@pytest.mark.parametrize("drop", [True, False])
def test_random_plan_covers_every_sample_once(drop):
    rows = batches.plan(np.zeros(70, dtype=np.int64), 16, 0, 0, drop_last=drop)
    assert [len(r) for r in rows] == [16] * 4 + ([] if drop else [6])
    assert len(set(np.concatenate(rows).tolist())) == (64 if drop else 70)


def test_plan_errors():
    with pytest.raises(UserError, match=r"unknown sampler 'identiy'.*did you mean identity"):
        batches.plan(np.zeros(5), 2, 0, 0, sampler="identiy")
    with pytest.raises(UserError, match="batch 10 is no multiple of 4"):
        batches.plan(np.zeros(5), 10, 0, 0, sampler="identity", instances=4)


@pytest.mark.parametrize("sampler", batches.SAMPLERS)
@pytest.mark.parametrize("device", ["array", "tensor"])
def test_batches_hold_what_belongs_together(sampler, device):
    data = split()
    images = np.broadcast_to(np.arange(30, dtype=np.uint8)[:, None, None, None], (30, 3, 4, 2)).copy()
    images.flags.writeable = False
    ids = np.arange(70)[:, None] * np.ones(5, dtype=np.int64)
    store = torch.tensor(images) if device == "tensor" else images
    whole = list(batches.batches(data, store, ids, 12, 1, 2, sampler, instances=3))
    assert len(whole) == len(batches.plan(data.caption_person, 12, 1, 2, sampler, 3))
    for b in whole:
        shown = b.store[b.picture]
        assert shown.dtype == torch.uint8 and shown.shape[1:] == (3, 4, 2)
        assert torch.equal(b.ids[:, 0], b.index) and b.rows.tolist() == b.index.tolist()
        assert shown[:, 0, 0, 0].tolist() == data.caption_image[b.index].tolist()
        assert b.person.tolist() == data.caption_person[b.index].tolist()
    for start in (1, len(whole) - 1, len(whole)):
        rest = list(batches.batches(data, store, ids, 12, 1, 2, sampler, instances=3, start=start))
        assert [b.index.tolist() for b in rest] == [b.index.tolist() for b in whole[start:]]
