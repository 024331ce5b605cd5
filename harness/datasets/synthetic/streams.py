"""Random streams addressed by name, so that any identity or image can be made without the ones before it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from harness.datasets.synthetic import VERSION

T = TypeVar("T")


def stream(*address: object) -> np.random.Generator:
    """The generator at an address, e.g. `stream(seed, "cuhk", "image", 7, 2)`; equal addresses give equal streams."""
    digest = hashlib.sha256("/".join([VERSION, *map(str, address)]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of `items`, all equally likely."""
    return items[int(rng.random() * len(items))]


def weighted(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """One key of `weights` in proportion to its value."""
    left = rng.random() * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return key


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in [low, high)."""
    return low + (high - low) * float(rng.random())


def shuffled(rng: np.random.Generator, items: Sequence[T]) -> list[T]:
    """The items in a random order."""
    return [items[i] for i in rng.permutation(len(items))]
