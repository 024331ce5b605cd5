"""A few images and captions to shift, and how far a shift moves them."""

from __future__ import annotations

import difflib
import functools

import numpy as np

from harness import registry
from harness.shifts._draws import Draws
from harness.shifts._shift import Shift

NAMES = registry.names("shifts")
PERSON = np.arange(12) // 2
CAPTIONS = (
    "A young man, seen from behind, wears a dark blue jacket, black trousers and white shoes. His hair is short.",
    "A woman with long black hair is wearing a red striped shirt, grey jeans and brown boots, and holds a white phone.",
    "An old man in a green coat; his trousers are black, his hat is yellow. He is walking with a purple umbrella.",
    "She wears a pink sleeveless top and orange shorts. She has a plain white cap on, and her shoes are dark red.",
)


@functools.cache
def images(height: int = 96) -> np.ndarray:
    """12 smooth images of 6 identities with noise on them, uint8 [12, 3, height, height / 3]."""
    random = np.random.default_rng(0)
    width = height // 3
    coarse = random.uniform(30, 225, (12, 3, 6, 2)).repeat(height // 6, axis=2).repeat(width // 2, axis=3)
    return np.clip(coarse + random.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


def kind(name: str) -> str:
    return registry.find("shifts", name).KIND


def shifted(name: str, severity: int, seed: int = 0) -> list:
    """All images, or all captions, of the few."""
    shift = Shift(name, severity, seed)
    if shift.pictures:
        return list(shift.images(images(), PERSON)[:])
    apply = shift.module.apply
    return [apply(caption, severity, Draws(name, seed, i)) for i, caption in enumerate(CAPTIONS)]


def moved(name: str, severity: int, seed: int = 0) -> float:
    """How far from what they were, on average."""
    now = shifted(name, severity, seed)
    if kind(name) == "images":
        return float(np.abs(np.stack(now).astype(float) - images()).mean())
    ratios = [difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() for a, b in zip(CAPTIONS, now, strict=True)]
    return 1 - sum(ratios) / len(ratios)
