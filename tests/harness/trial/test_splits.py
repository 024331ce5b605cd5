"""What a trial reads: kept between trials, rebuilt when the source changes, named by its contents."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from harness.errors import DataError, UserError
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
    drawn = splits.splits(TINY, data)
    folder = next((data / "synth_cuhk").glob("synth_cuhk-*-tiny-seed0"))
    real = splits.splits({"dataset": "cuhk_pedes", "options": {"root": str(folder / "CUHK-PEDES")}}, data)
    assert real["train"].captions == drawn["train"].captions


def test_an_unknown_option_is_one_line(data):
    with pytest.raises(DataError, match=r"no option 'sizee'.*did you mean size"):
        splits.splits({"dataset": "synth_cuhk", "options": {"sizee": "tiny"}}, data)


def test_two_folders_of_one_data_set_must_hold_the_same_test(data, tmp_path):
    """Where the files lie is no part of what tells data sets apart, so other files would pass for the same."""

    def at(root, **options):
        return {"dataset": "cuhk_pedes", "options": {"root": str(root), **options}}

    one, copy, other = (tmp_path / name for name in ("one", "copy", "other"))
    for place, seed in ((one, 0), (copy, 0), (other, 1)):
        drawn = splits.splits({"dataset": "synth_cuhk", "options": {"size": "tiny", "seed": seed}}, data)["test"].root
        shutil.copytree(drawn.parent, place)
    splits.one_thing([at(one), at(copy, fraction="50%"), at(one)], data)
    splits.one_thing([at(one), at(other, allow_missing=True)], data)
    with pytest.raises(UserError, match=r"cuhk_pedes has other test data in \S+one than in \S+other"):
        splits.one_thing([at(one), at(copy), at(other)], data)
