"""Labels: short where they can be, and never one for two things."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from harness.labels import bare, labels

VALUES = (1, 1.0, "1", True, "true", None, "null", "a", "a b", "a, b 2", "50%", "a)", [1, "x"], {"k": 1}, "")


@pytest.mark.parametrize(
    ("things", "told"),
    [
        ([("cuhk", {"size": "demo"})], ["cuhk"]),
        ([("cuhk", {"size": "demo"}), ("cuhk", {"size": "demo"})], ["cuhk", "cuhk"]),
        ([("cuhk", {"size": "tiny"}), ("cuhk", {"size": "demo"})], ["cuhk (size tiny)", "cuhk (size demo)"]),
        ([("cuhk", {}), ("cuhk", {"size": "demo"}), ("icfg", {"size": "tiny"})], ["cuhk", "cuhk (size demo)", "icfg"]),
        (
            [("lora", {"rank": 4, "alpha": 8}), ("lora", {"rank": 4, "alpha": 16})],
            ["lora (alpha 8)", "lora (alpha 16)"],
        ),
        ([("s", {"a": "1, b 2"}), ("s", {"a": 1, "b": 2})], ['s (a "1, b 2")', "s (a 1, b 2)"]),
        ([("s", {"b": 1, "a": "1"}), ("s", {"a": 1, "b": 2})], ['s (a "1", b 1)', "s (a 1, b 2)"]),
    ],
)
def test_by_hand(things, told):
    assert labels(things) == told


def test_equal_things_have_one_label_and_others_have_another():
    rng = random.Random(0)
    for _ in range(300):
        things = [
            (rng.choice("ab"), {key: rng.choice(VALUES) for key in rng.sample("xyz", rng.randrange(4))})
            for _ in range(rng.randrange(1, 9))
        ]
        told = labels(things)
        for (one, x), (other, y) in itertools.product(zip(things, told, strict=True), repeat=2):
            # JSON, since 1 and True are equal in Python.
            same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
            assert (x == y) == same, (one, other)
        assert [bare(label) for label in told] == [name for name, _ in things]


def test_nothing_is_told_that_all_have_alike():
    rng = random.Random(1)
    for _ in range(100):
        shared = {"all": rng.choice(VALUES)}
        things = [("n", {**shared, "own": n}) for n in range(rng.randrange(1, 4))]
        assert not any("all" in label for label in labels(things))
        assert ("own" in labels(things)[0]) == (len(things) > 1)
