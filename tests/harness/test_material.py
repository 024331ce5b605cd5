"""What a trial reads: kept between trials, rebuilt when the source changes, named by its contents."""

from __future__ import annotations

import numpy as np
import pytest

from harness import material
from harness.errors import DataError
from harness.tokenizer import tokenizer
from harness.weights import Source

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
SOURCE = Source("tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_a_part_is_images_and_ids_of_its_split(data):
    part = material.part(TINY, data, "test", SOURCE)
    assert part.images.shape == (len(part.split.images), 3, 96, 32) and part.images.dtype == np.uint8
    ids, truncated = tokenizer(SOURCE)(part.split.captions)
    assert np.array_equal(part.ids, ids) and part.truncated == truncated
    assert material.part(TINY, data, "test", SOURCE) is part


def test_ids_come_from_the_cache(data, monkeypatch):
    encoder = tokenizer(SOURCE)
    other, _ = material.tokens(("a blue coat",), encoder, data / "tokens")
    first, _ = material.tokens(("a red coat",), encoder, data / "tokens")
    monkeypatch.setattr(type(encoder), "__call__", lambda *_: pytest.fail("encoded again"))
    second, _ = material.tokens(("a red coat",), encoder, data / "tokens")
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_identity_follows_the_contents_not_the_place(data, tmp_path):
    here = material.identity(TINY, data)
    assert material.identity(TINY, tmp_path) == here
    assert material.identity({"dataset": "synth_cuhk", "options": {"size": "tiny", "seed": 1}}, data) != here


def test_root_names_the_folder_of_a_real_data_set(data):
    folder = next((data / "synth_cuhk").glob("synth_cuhk-*-tiny-seed0"))
    real = material.splits({"dataset": "cuhk_pedes", "options": {"root": str(folder / "CUHK-PEDES")}}, data)
    drawn = material.splits(TINY, data)
    assert real["train"].captions == drawn["train"].captions


def test_an_unknown_option_is_one_line(data):
    with pytest.raises(DataError, match=r"no option 'sizee'.*did you mean size"):
        material.splits({"dataset": "synth_cuhk", "options": {"sizee": "tiny"}}, data)
