"""Promises of every shift, found by name: of its kind, pure, drawn from its seed and index, stronger with severity."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from harness import registry
from harness.shifts import _shift
from harness.shifts._draws import Draws
from harness.shifts._shift import SEVERITIES, Shift
from tests.harness.shifts.things import CAPTIONS, NAMES, PERSON, images, kind, moved, shifted

SAME = {"contrast", "darkness", "defocus", "first_clause", "grey", "jpeg", "low_resolution"}  # for every seed and index


def test_the_kinds_are_these():
    """Content edits ask for another person: they are no shift of texts."""
    by = {of: {name for name in NAMES if kind(name) == of} for of in _shift.KINDS}
    assert by["content"] >= {"swap_colour", "drop_attribute"} and len(by["texts"]) >= 8 and len(by["images"]) >= 11
    assert sum(map(len, by.values())) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_its_severities_are(name):
    assert re.search(r"\n\nSeverities 1 to 5: ", registry.find("shifts", name).__doc__)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_what_it_was_given_and_leaves_that_alone(name):
    before = images().copy()
    first, second = shifted(name, 3), shifted(name, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(images(), before)
    if kind(name) == "images":
        assert all(image.dtype == np.uint8 and image.shape == images().shape[1:] for image in first)
    else:
        assert all(text == " ".join(text.split()) and text for text in first)


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_from_its_seed_or_draws_nothing(name):
    same = all(np.array_equal(a, b) for a, b in zip(shifted(name, 4, 0), shifted(name, 4, 1), strict=True))
    assert same == (name in SAME)


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_from_the_index_or_draws_nothing(name):
    apply, one = registry.find("shifts", name).apply, images()[0].transpose(1, 2, 0)
    other = images()[5].transpose(1, 2, 0)
    thing = one if kind(name) == "images" else CAPTIONS[0]
    found = [apply(thing, 4, Draws(name, 0, index, lambda chance: other)) for index in range(4)]
    assert all(np.array_equal(found[0], each) for each in found) == (name in SAME)


@pytest.mark.parametrize("name", NAMES)
def test_it_grows_with_severity(name):
    far = [sum(moved(name, severity, seed) for seed in range(3)) for severity in SEVERITIES]
    assert far[0] > 0 and all(a < b for a, b in itertools.pairwise(far)), far


@pytest.mark.parametrize("name", [name for name in NAMES if kind(name) == "images"])
def test_the_size_of_the_image_does_not_matter(name):
    """Twice the pixels of the same picture are moved as far, but by what has a size in pixels: noise and JPEG."""
    if name in ("gaussian_noise", "jpeg"):
        return
    rng = np.random.default_rng(1)
    smooth = rng.uniform(0, 255, (8, 3, 6, 2))

    def at(height: int) -> float:
        grown = smooth.repeat(height // 6, axis=2).repeat(height // 6, axis=3).astype(np.uint8)
        return float(np.abs(Shift(name, 4).images(grown, np.arange(8))[:].astype(float) - grown).mean())

    assert at(192) == pytest.approx(at(96), rel=0.15)


def test_another_persons_image_is_another_persons():
    pictures = Shift("occlusion_person", 1).images(images(), PERSON)
    for index in range(12):
        rest = [pictures._other(index, chance).transpose(2, 0, 1) for chance in np.linspace(0, 0.999, 40)]
        seen = {i for image in rest for i in range(12) if np.array_equal(image, images()[i])}
        assert seen == {i for i in range(12) if PERSON[i] != PERSON[index]}
