"""Smaller training splits: a share of the captions, or some of the identities; the smaller is inside the larger.

Only train is cut; what is chosen by and measured on stays whole.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from harness.data.split import Split
from harness.errors import UserError

CAPTIONS, IDENTITIES = range(2)  # one stream of random numbers for each


def share(text: object) -> float:
    """`5%` or 0.05 as a fraction.

    Raises:
        UserError: not above 0 and at most 1.
    """
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*%", text.strip()) if isinstance(text, str) else None
    number = float(match[1]) / 100 if match else text
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= 1:
        raise UserError(f"cannot read fraction {text!r}", "dataset options", "a share of the captions like 5% or 0.05")
    return float(number)


def subset(split: Split, fraction: object = None, identities: int | None = None, subset_seed: int = 0) -> Split:
    """A part of a training split.

    Identities are cut first, then the captions of those that stay. For one seed, fewer identities are among more, and
    for the same identities a smaller fraction is inside a larger one. Images without a caption and identities without
    an image are left out; identities are renumbered 0..n-1 in their old order and `persons` keeps their names.

    Args:
        split: The whole training split.
        fraction: Share of the captions, such as `5%`, rounded to the nearest number, at least one; None for all.
        identities: Number of identities; None for all.
        subset_seed: Of both choices.

    Raises:
        UserError: a share or number that the split cannot give.
    """
    if isinstance(subset_seed, bool) or not isinstance(subset_seed, int) or subset_seed < 0:
        raise UserError(f"cannot read subset_seed {subset_seed!r}", "dataset options", "a whole number from 0")
    captions = np.ones(len(split.captions), dtype=bool)
    if identities is not None:
        known = len(split.persons)
        if isinstance(identities, bool) or not isinstance(identities, int) or not 1 <= identities <= known:
            raise UserError(
                f"cannot take {identities!r} identities", "dataset options", f"a whole number from 1 to {known:,}"
            )
        chosen = np.zeros(known, dtype=bool)
        chosen[order(known, subset_seed, IDENTITIES)[:identities]] = True
        captions = chosen[split.caption_person]
    if fraction is not None:
        drawn = order(len(captions), subset_seed, CAPTIONS)
        drawn = drawn[captions[drawn]]
        captions = np.zeros_like(captions)
        captions[drawn[: max(1, round(share(fraction) * len(drawn)))]] = True
    return split if captions.all() else keep(split, captions)


def keep(split: Split, captions: np.ndarray) -> Split:
    """The captions chosen by a mask, bool [captions], with their images and identities."""
    images = np.zeros(len(split.images), dtype=bool)
    images[split.caption_image[captions]] = True
    persons = np.zeros(len(split.persons), dtype=bool)
    persons[split.image_person[images]] = True
    image, person = np.cumsum(images) - 1, np.cumsum(persons) - 1
    return replace(
        split,
        images=tuple(split.images[i] for i in np.flatnonzero(images)),
        image_person=person[split.image_person[images]].astype(np.int64),
        captions=tuple(split.captions[c] for c in np.flatnonzero(captions)),
        caption_image=image[split.caption_image[captions]].astype(np.int64),
        persons=tuple(split.persons[p] for p in np.flatnonzero(persons)),
    )


def order(count: int, seed: int, stream: int) -> np.ndarray:
    """A random permutation, int64 [count], from raw bits: these never change with numpy's version."""
    return np.argsort(np.random.PCG64([seed, stream]).random_raw(count), kind="stable")
