"""Counter-based random numbers: against SplitMix64 in Python's integers, and that they look random."""

import pytest
import torch

from harness.data.pipeline import random

WORD = (1 << 64) - 1


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def splitmix(state, count):
    """The published sequence: add the constant, mix."""
    return [mix(state + (j + 1) * 0x9E3779B97F4A7C15 & WORD) for j in range(count)]


def test_the_published_sequence():
    # First outputs for seed 1234567 as given with the reference implementation.
    assert splitmix(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("stream, seed, epoch, index", [(0, 0, 0, 0), (3, 7, 59, 68125), (1, 2**63, -1, 2**40)])
def test_equals_python_integers(stream, seed, epoch, index):
    state = 0
    for part in (stream, seed, epoch, index):
        state = mix(state + part + 0x9E3779B97F4A7C15 & WORD)
    got = random.bits(stream, seed, epoch, torch.tensor([index]), 5)
    assert [x & WORD for x in got[0].tolist()] == splitmix(state, 5)


def test_uniform():
    u = random.uniform(random.IMAGE, 1, 2, torch.arange(20000), 4)
    assert u.dtype == torch.float32 and u.min() >= 0 and u.max() < 1
    assert (u.mean(0) - 0.5).abs().max() < 0.01 and (u.var(0) - 1 / 12).abs().max() < 0.002
    table = torch.cat((u, random.uniform(random.IMAGE, 1, 3, torch.arange(20000), 4), u.roll(1, 0)), 1)
    assert (torch.corrcoef(table.T) - torch.eye(12)).abs().max() < 0.03


def test_below_reaches_every_value_and_no_other():
    u = torch.tensor([0.0, 0.5, 1 - 2**-24])
    assert random.below(u, 21).tolist() == [0, 10, 20]
    assert random.below(u, torch.tensor([1, 2, 3])).tolist() == [0, 1, 2]
    n = torch.cat((torch.arange(1, 200000), 2**24 - torch.arange(1, 200000)))
    assert torch.equal(random.below(u[2], n), n - 1)
    counts = torch.bincount(random.below(random.uniform(0, 0, 0, torch.arange(21000))[:, 0], 21), minlength=21)
    assert len(counts) == 21 and counts.min() > 850
