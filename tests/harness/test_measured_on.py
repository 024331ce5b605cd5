"""What a score was measured on: an identity that forgets nothing that matters, and nothing else."""

from __future__ import annotations

import itertools
import random

import pytest

from harness.data.train import OPTIONS
from harness.measured_on import TRAIN, MeasuredOn, of_trial, told


def of(name: str = "cuhk", split: str = "test", **options: object) -> MeasuredOn:
    return MeasuredOn.of({"dataset": name, "options": options}, split)


def test_the_text_by_hand():
    assert of().text == MeasuredOn.of({"dataset": "cuhk"}).text == "cuhk"
    assert of(size="demo", shift=[1, 2], root="/here").text == 'cuhk {"shift": [1, 2], "size": "demo"}'
    assert of(size="demo").text == 'cuhk {"size": "demo"}' and of(size="demo").given == {"size": "demo"}
    assert MeasuredOn.parse("a {b").text == "a {b" and MeasuredOn.parse("a {b").options == ()


def test_what_acts_on_train_alone_counts_for_train_alone():
    known = {"fraction", "identities", "subset_seed", "noise", "noise_seed", "noise_index"}
    assert set(OPTIONS) <= set(TRAIN) == known
    for key in (*TRAIN, "root", "check_files"):
        assert of(**{key: 1}) == of() and of(**{key: 1}, split="val") == of(split="val")
        assert (of(**{key: 1}, split="train") != of(split="train")) == (key in TRAIN)


def test_any_other_option_tells_apart_and_is_read_back():
    rng = random.Random(0)
    values = (0, 0.5, "0.5", True, None, "demo", [1, 2], {"blur": 3}, "a {}")
    every = [{key: rng.choice(values) for key in rng.sample(("size", "seed", "shift"), n)} for n in (0, 1, 1, 2, 2, 3)]
    for one, other in itertools.product(every, repeat=2):
        same = {k: repr(v) for k, v in one.items()} == {k: repr(v) for k, v in other.items()}
        assert (of(**one) == of(**other)) == (of(**one).text == of(**other).text) == same
        assert MeasuredOn.parse(of(**one).text) == of(**one)


def test_a_trial_is_measured_on_each_once_and_first_where_it_was_trained():
    half, whole = {"dataset": "cuhk", "options": {"fraction": "50%"}}, {"dataset": "cuhk", "options": {}}
    demo = {"dataset": "cuhk", "options": {"size": "demo"}}
    found = of_trial(
        {"dataset": half, "evaluate_on": [demo, whole, {**demo, "options": {**demo["options"], "root": "x"}}]}
    )
    assert [on.text for on in found] == ["cuhk", 'cuhk {"size": "demo"}'] and list(found.values()) == [half, demo]


@pytest.mark.parametrize("split", ["val", "test"])
def test_splits_of_one_data_set_have_one_label(split):
    assert told([of(), of(size="demo"), of(split="val")])[of(split=split)] == "cuhk"
