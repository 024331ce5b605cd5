"""Random numbers as a pure function of (stream, seed, epoch, index): no state, the same on every device.

The bits are those of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) used as a counter-based generator: the mixing
function is folded over stream, seed, epoch and index, and the result starts the sequence of that sample's draws.
Integers of 64 bits wrap in the same way on every device, so a sample's draws depend on nothing but these arguments: not
on the batch it is in, not on how many workers there are, and not on the version of a library.
"""

from __future__ import annotations

import torch
from torch import Tensor

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = (1 << 64) - 1

# One stream for each use, so that no two of them see the same numbers.
ORDER, SAMPLES, IMAGE, TEXT = range(4)


def _signed(value: int) -> int:
    value &= WORD
    return value - (1 << 64) if value >> 63 else value


def _mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64; a logical shift is an arithmetic one with the sign bits cut off."""
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * _signed(FIRST)
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * _signed(SECOND)
    return x ^ (x >> 31 & (1 << 33) - 1)


def bits(stream: int, seed: int, epoch: int, index: Tensor, draws: int = 1) -> Tensor:
    """Random 64-bit words, int64 [*index, draws].

    Args:
        stream: One of `ORDER, SAMPLES, IMAGE, TEXT`.
        seed: Any integer.
        epoch: Any integer.
        index: int64, what the draws belong to (a sample, an identity), on any device.
        draws: How many words for each index.
    """
    state = torch.zeros((), dtype=torch.int64, device=index.device)
    for part in (stream, seed, epoch):
        state = _mix(state + _signed(part + GOLDEN))
    state = _mix(state + index + _signed(GOLDEN))
    steps = torch.arange(1, draws + 1, device=index.device) * _signed(GOLDEN)
    return _mix(state.unsqueeze(-1) + steps)


def uniform(stream: int, seed: int, epoch: int, index: Tensor, draws: int = 1) -> Tensor:
    """Uniform numbers in [0, 1), float32 [*index, draws], multiples of 2^-24."""
    return (bits(stream, seed, epoch, index, draws) >> 40 & (1 << 24) - 1).to(torch.float32) * 2.0**-24


def below(u: Tensor, n: Tensor | int) -> Tensor:
    """Uniform numbers in [0, 1) to integers 0..n-1 (int64); n < 2^24, so that no product rounds up to n."""
    return (u * n).to(torch.int64)
