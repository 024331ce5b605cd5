"""Noise in the training pairs: how many captions move, which, and that nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.noise import noisy
from harness.data.train import changed
from harness.errors import DataError, UserError
from harness.trial import splits
from tests.harness.data.test_subset import invented


def moved(before, after) -> np.ndarray:
    return np.array([a != b for a, b in zip(before.captions, after.captions, strict=True)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("percent", [20, 50, 80, 100])
def test_that_share_moves_and_identities_stay(seed, percent):
    whole = invented(seed)
    after = noisy(whole, f"{percent}%", seed)
    assert moved(whole, after).sum() == round(percent / 100 * len(whole.captions))
    assert sorted(after.captions) == sorted(whole.captions)
    assert after.images == whole.images and after.persons == whole.persons
    np.testing.assert_array_equal(after.caption_image, whole.caption_image)
    np.testing.assert_array_equal(after.image_person, whole.image_person)
    assert noisy(whole, percent / 100, seed).captions == after.captions


def test_smaller_shares_are_inside_larger_and_seeds_differ():
    whole = invented(1)
    few, many = (moved(whole, noisy(whole, share)) for share in ("20%", "50%"))
    assert (few <= many).all()
    assert (moved(whole, noisy(whole, "20%", 1)) != few).any()
    assert noisy(whole) is whole and noisy(whole, 0) is whole


def test_of_a_subset_the_share_is_of_what_is_left():
    whole = invented(2)
    cut = changed(whole, {"fraction": "50%"})
    after = changed(whole, {"fraction": "50%", "noise": "20%"})
    assert moved(cut, after).sum() == round(0.2 * len(cut.captions)) and set(after.captions) == set(cut.captions)


def test_a_released_index_says_which_caption_each_pair_gets(tmp_path):
    whole = invented(3)
    index = np.random.Generator(np.random.PCG64(0)).permutation(len(whole.captions))
    np.save(tmp_path / "0.2.npy", index)
    after = noisy(whole, noise_index=str(tmp_path / "0.2.npy"))
    for pair, caption in enumerate(after.captions):
        assert caption == whole.captions[index[pair]]


@pytest.mark.parametrize(
    "array, words",
    [
        (np.arange(5), "has 5 entries; expected"),
        (np.zeros(0), "the noise is float64"),
        (None, "no array"),
        ("repeat", "no permutation"),
    ],
)
def test_a_file_that_is_no_permutation_is_one_line(array, words, tmp_path):
    whole, path = invented(3), tmp_path / "x.npy"
    if array is None:
        path.write_text("text")
    else:
        np.save(path, np.zeros(len(whole.captions), np.int64) if isinstance(array, str) else array)
    with pytest.raises(DataError, match=words) as caught:
        noisy(whole, noise_index=str(path))
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(DataError, match="No such file"):
        noisy(whole, noise_index=str(tmp_path / "gone.npy"))


def test_shares_that_cannot_be():
    whole = invented(0)
    with pytest.raises(UserError, match="noise is given twice"):
        noisy(whole, "20%", noise_index="x.npy")
    for share in ("120%", -0.1, "much"):
        with pytest.raises(UserError, match="cannot read"):
            noisy(whole, share)
    with pytest.raises(UserError, match="moves one of"):
        noisy(whole, 1 / len(whole.captions))


def test_only_train_is_noisy_and_its_identity_is_another(tmp_path):
    clean, wrong = ({"dataset": "synth_cuhk", "options": {"size": "tiny", **more}} for more in ({}, {"noise": "50%"}))
    before, after = (splits.splits(of, tmp_path) for of in (clean, wrong))
    assert 0.45 < moved(before["train"], after["train"]).mean() < 0.52  # some captions stand twice
    assert before["val"].captions == after["val"].captions and before["test"].captions == after["test"].captions
    assert splits.identity(clean, tmp_path) != splits.identity(wrong, tmp_path)
    with pytest.raises(UserError, match=r"cannot read fraction \[1\]"):
        splits.check("synth_cuhk", {"noise": [1]})
    with pytest.raises(DataError, match=r"no option 'nois'.*did you mean noise"):
        splits.check("synth_cuhk", {"nois": "20%"})
