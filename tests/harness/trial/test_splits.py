"""What a trial reads: kept between trials, rebuilt when the source changes, named by its contents."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DataError
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source
from harness.trial import splits

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
SOURCE = Source("tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_a_part_is_images_and_ids_of_its_split(data):
    part = splits.part(TINY, data, "test", SOURCE)
    assert part.images.shape == (len(part.split.images), 3, 96, 32) and part.images.dtype == np.uint8
    ids, truncated = tokenizer(SOURCE)(part.split.captions)
    assert np.array_equal(part.ids, ids) and part.truncated == truncated
    assert splits.part(TINY, data, "test", SOURCE) is part


def test_ids_come_from_the_cache(data, monkeypatch):
    encoder = tokenizer(SOURCE)
    other, _ = splits.tokens(("a blue coat",), encoder, data / "tokens")
    first, _ = splits.tokens(("a red coat",), encoder, data / "tokens")
    monkeypatch.setattr(type(encoder), "__call__", lambda *_: pytest.fail("encoded again"))
    second, _ = splits.tokens(("a red coat",), encoder, data / "tokens")
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_identity_follows_the_contents_not_the_place(data, tmp_path):
    here = splits.identity(TINY, data)
    assert splits.identity(TINY, tmp_path) == here
    assert splits.identity({"dataset": "synth_cuhk", "options": {"size": "tiny", "seed": 1}}, data) != here


def test_root_names_the_folder_of_a_real_data_set(data):
    folder = next((data / "synth_cuhk").glob("synth_cuhk-*-tiny-seed0"))
    real = splits.splits({"dataset": "cuhk_pedes", "options": {"root": str(folder / "CUHK-PEDES")}}, data)
    drawn = splits.splits(TINY, data)
    assert real["train"].captions == drawn["train"].captions


def test_an_unknown_option_is_one_line(data):
    with pytest.raises(DataError, match=r"no option 'sizee'.*did you mean size"):
        splits.splits({"dataset": "synth_cuhk", "options": {"sizee": "tiny"}}, data)
