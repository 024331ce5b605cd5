"""What single shifts do, said again: where they act, on how much, and what they may not touch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness import registry
from harness.shifts._draws import Draws
from harness.shifts._words import COLOURS, WORD
from tests.harness.shifts.things import CAPTIONS, images, shifted


def text(name: str, severity: int, index: int = 0, seed: int = 0) -> str:
    return registry.find("shifts", name).apply(CAPTIONS[index], severity, Draws(name, seed, index))


def test_a_rectangle_covers_its_share_at_places_and_in_shapes_that_are_drawn():
    plain = images()
    boxes = set()
    for image, before in zip(shifted("occlusion", 5), plain, strict=True):
        rows, columns = np.nonzero((image != before).any(axis=0))
        top, left, high, wide = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
        assert high * wide / (96 * 32) == pytest.approx(0.3, abs=0.04)
        inside = image[:, top : top + high, left : left + wide]
        assert np.ptp(inside.reshape(3, -1), axis=1).max() == 0
        boxes.add((top, left, high, wide))
    assert len({box[:2] for box in boxes}) > 8 and len({box[2:] for box in boxes}) > 8


def test_typos_are_neighbours_on_the_keyboard_at_places_that_are_drawn():
    near = {"a": "qwsz", "g": "ftyhbv", "p": "ol", "m": "njk", "q": "wa", "l": "kop"}
    known = registry.find("shifts", "typos").NEIGHBOURS
    assert {key: set(known[key]) for key in near} == {key: set(keys) for key, keys in near.items()}
    places = []
    for seed in range(6):
        found = text("typos", 5, seed=seed)
        places.append(tuple(i for i, (a, b) in enumerate(zip(CAPTIONS[0], found, strict=True)) if a != b))
        assert all(found[i].lower() in known[CAPTIONS[0][i].lower()] for i in places[-1])
    assert len(set(places)) == 6


@pytest.mark.parametrize("index", range(len(CAPTIONS)))
def test_word_order_keeps_the_words_and_the_rest_is_a_part(index):
    words = Counter(WORD.findall(CAPTIONS[index]))
    assert Counter(WORD.findall(text("word_order", 5, index))) == words
    assert Counter(WORD.findall(text("drop_words", 4, index))) < words
    assert Counter(WORD.findall(text("drop_attribute", 2, index))) + Counter() < words
    assert sum(words.values()) - len(WORD.findall(text("drop_attribute", 2, index))) == 2
    assert text("lower_case", 5, index) == " ".join(WORD.findall(CAPTIONS[index].lower()))
    assert CAPTIONS[index].startswith(text("first_clause", 5, index)[:-1])


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_swapped_colours_are_other_colours(severity):
    rows = {word: row for row, words in enumerate(COLOURS) for word in words}
    for index, caption in enumerate(CAPTIONS):
        pairs = list(zip(WORD.findall(caption), WORD.findall(text("swap_colour", severity, index)), strict=True))
        moved = [(a, b) for a, b in pairs if a != b]
        assert len(moved) == severity and all(rows[a] != rows[b] for a, b in moved)


def test_blur_and_light_by_hand():
    flat = np.full((60, 20, 3), 90, np.uint8)
    for name in ("motion_blur", "defocus", "low_resolution", "contrast", "grey", "misaligned_crop"):
        assert np.array_equal(registry.find("shifts", name).apply(flat, 5, Draws(name, 0, 0)), flat), name
    assert registry.find("shifts", "darkness").apply(flat, 5, Draws("darkness", 0, 0))[0, 0].tolist() == [27] * 3
    noisy = registry.find("shifts", "gaussian_noise").apply(np.full((96, 32, 3), 128, np.uint8), 3, Draws("n", 0, 0))
    assert noisy.std() == pytest.approx(0.08 * 255, rel=0.03) and noisy.mean() == pytest.approx(128, abs=1)
