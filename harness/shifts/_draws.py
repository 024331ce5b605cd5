"""Random numbers of a shift: a pure function of (name of the shift, seed, index of the image or caption).

They are made from the raw bits of PCG64, which never change with numpy's version. The severity is not among what seeds
them, so that a shift is the same at every severity, only stronger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np


class Draws:
    """What `apply` draws from; every call goes on where the last one ended.

    Args:
        name: Of the shift.
        seed: From 0.
        index: Of the image or caption in its split.
        other: Gives another identity's image, from a uniform number.
    """

    def __init__(self, name: str, seed: int, index: int, other: Callable[[float], np.ndarray] | None = None) -> None:
        word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        self._bits, self._other = np.random.PCG64([word, seed, index]), other

    def uniform(self, count: int) -> np.ndarray:
        """float64 [count] in [0, 1)."""
        return (self._bits.random_raw(count) >> np.uint64(11)) * 2.0**-53

    def normal(self, count: int) -> np.ndarray:
        """float64 [count], of mean 0 and standard deviation 1 (Box and Muller, 1958)."""
        half = -(-count // 2)
        length, turn = np.sqrt(-2 * np.log1p(-self.uniform(half))), 2 * np.pi * self.uniform(half)
        return np.concatenate([length * np.cos(turn), length * np.sin(turn)])[:count]

    def integers(self, below: int, count: int) -> np.ndarray:
        """int64 [count] in 0..below-1; `below` is far less than 2^53."""
        return (self.uniform(count) * below).astype(np.int64)

    def permutation(self, count: int) -> np.ndarray:
        """0..count-1 in a random order, int64 [count]."""
        return np.argsort(self._bits.random_raw(count), kind="stable")

    def other(self) -> np.ndarray:
        """An image of another identity of the same gallery, uint8 [H, W, 3]."""
        if self._other is None:
            raise ValueError("captions have no other image")
        return self._other(float(self.uniform(1)[0]))
