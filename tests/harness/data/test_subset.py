"""Subsets of train: nested, seeded, renumbered without losing who is who."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data.split import Split
from harness.data.subset import share, subset
from harness.errors import UserError


def invented(seed: int, persons: int = 40) -> Split:
    """Identities with 1 to 5 images, images with 1 to 3 captions; every name says what it belongs to."""
    rng = np.random.Generator(np.random.PCG64(seed))
    person = np.repeat(np.arange(persons), rng.integers(1, 6, persons))
    owner = np.repeat(np.arange(len(person)), rng.integers(1, 4, len(person)))
    return Split(
        root=Path("x"),
        images=tuple(f"p{p}/i{i}" for i, p in enumerate(person)),
        image_person=person,
        captions=tuple(f"p{person[i]}/i{i} c{c}" for c, i in enumerate(owner)),
        caption_image=owner,
        persons=tuple(f"p{p}" for p in range(persons)),
    )


def sound(part: Split) -> None:
    assert sorted(set(part.image_person.tolist())) == list(range(len(part.persons)))
    assert sorted(set(part.caption_image.tolist())) == list(range(len(part.images)))
    for image, person in zip(part.images, part.image_person, strict=True):
        assert image.split("/")[0] == part.persons[person]
    for caption, image in zip(part.captions, part.caption_image, strict=True):
        assert caption.split(" ")[0] == part.images[image]


@pytest.mark.parametrize("seed", range(5))
def test_the_smaller_is_inside_the_larger(seed):
    whole = invented(seed)
    before = whole.captions, whole.image_person.tobytes()
    last: set[str] = set()
    for percent in (1, 5, 10, 25, 50, 99, 100):
        part = subset(whole, f"{percent}%", subset_seed=seed)
        sound(part)
        assert len(part.captions) == max(1, round(percent / 100 * len(whole.captions)))
        assert last < set(part.captions)
        last = set(part.captions)
    assert part.captions == whole.captions and part.persons == whole.persons
    last = set()
    for count in (1, 5, 10, 39, 40):
        part = subset(whole, identities=count, subset_seed=seed)
        sound(part)
        assert len(part.persons) == count and last < set(part.persons)
        kept = [c for c in whole.captions if c.split("/")[0] in part.persons]
        assert list(part.captions) == kept
        last = set(part.persons)
    last = set()
    for percent in (10, 30, 80):
        both = subset(whole, f"{percent}%", 20, seed)
        sound(both)
        assert last < set(both.captions) <= set(subset(whole, identities=20, subset_seed=seed).captions)
        last = set(both.captions)
    assert (whole.captions, whole.image_person.tobytes()) == before


def test_the_seed_decides_and_the_two_choices_are_independent():
    whole = invented(0)
    assert subset(whole, "20%").captions == subset(whole, 0.2).captions != subset(whole, "20%", subset_seed=1).captions
    assert subset(whole, identities=9).persons != subset(whole, identities=9, subset_seed=1).persons
    # Fixed for all time: published subsets depend on it.
    assert subset(whole, identities=3).persons == ("p7", "p10", "p35")


def test_every_caption_is_as_likely_as_any_other():
    whole = invented(3)
    taken = np.zeros(len(whole.captions))
    for seed in range(400):
        chosen = set(subset(whole, "25%", subset_seed=seed).captions)
        taken += [c in chosen for c in whole.captions]
    assert abs(taken.mean() / 400 - 0.25) < 0.005
    # 4.5 standard deviations of a share of 400 draws.
    assert np.abs(taken / 400 - 0.25).max() < 4.5 * np.sqrt(0.25 * 0.75 / 400)


@pytest.mark.parametrize("bad", ["5", "0%", "101%", "-5%", "five", "1e1%", 0, 5, 1.5, True, None, [5]])
def test_unreadable_fractions(bad):
    with pytest.raises(UserError, match="cannot read fraction"):
        share(bad)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"identities": 41}, "from 1 to 40"),
        ({"identities": 0}, "cannot take 0 identities"),
        ({"identities": "9"}, "cannot take '9' identities"),
        ({"identities": True}, "cannot take True"),
        ({"fraction": "5%", "subset_seed": -1}, "cannot read subset_seed -1"),
        ({"fraction": "5%", "subset_seed": "a"}, "cannot read subset_seed 'a'"),
    ],
)
def test_impossible_subsets(options, words):
    with pytest.raises(UserError, match=words):
        subset(invented(0), **options)
