"""A tower that gives every epoch the same is encoded once for training, and training is the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from harness.adaptation.probe import disturb
from harness.model.weights import Source, random, shape
from harness.registry import find
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
SOURCE = Source("tiny")


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    whole = splits.part(TINY, tmp_path_factory.mktemp("data"), "train", SOURCE)
    split = dataclasses.replace(
        whole.split, captions=whole.split.captions[:24], caption_image=whole.split.caption_image[:24]
    )
    return dataclasses.replace(whole, split=split, ids=whole.ids[:24])


def train(part, method: str, recipe: Recipe, shared: bool, cache=None):
    backbone = disturb(random(shape(SOURCE)))
    torch.manual_seed(0)  # of which methods draw their start
    find("methods", method).Method().attach(backbone)
    loader = Loader(SOURCE, recipe, 0, torch.device("cpu"), cache)
    batches, steps = loader.batches(part)
    calls = {"image": 0, "text": 0}
    if shared:
        loader.share(backbone, part)
    for tower in backbone.towers:
        tower.register_forward_hook(lambda tower, *_: calls.update({tower.name: calls[tower.name] + 1}))
    training = Training(backbone, recipe, steps)
    losses = [float(step.loss) for step in training.run(batches, loader.prepare)]
    return losses, calls, {n: p.detach().clone() for n, p in training.parameters.items()}, loader


@pytest.mark.parametrize(
    ("method", "given", "called"),
    [
        ("full_image", {"augmentation": "flip"}, {"image": 4, "text": 0}),
        ("full_text", {"augmentation": "none"}, {"image": 0, "text": 4}),
        ("full_text", {"augmentation": "none", "losses": ("cmpm", "triplet")}, {"image": 0, "text": 4}),
        ("full_text", {"augmentation": "flip"}, {"image": 4, "text": 4}),
        ("full_image", {"augmentation": "flip", "mask_captions": 0.2}, {"image": 4, "text": 4}),
        ("lora", {"augmentation": "none"}, {"image": 4, "text": 4}),
    ],
)
def test_a_tower_that_stays_the_same_is_encoded_once(part, method, given, called):
    recipe = Recipe(epochs=2, batch=12, lr=1e-4, warmup_epochs=0, eps=1e-3, **given)
    losses, calls, trained, _ = train(part, method, recipe, True)
    assert calls == called
    want, _, expected, _ = train(part, method, recipe, False)
    assert losses == pytest.approx(want, rel=1e-4)
    off = max(float((trained[n] - expected[n]).abs().max()) for n in expected)
    assert off < 1e-5


def test_shared_features_come_from_the_cache(part, tmp_path):
    recipe = Recipe(epochs=1, batch=12, augmentation="flip")
    first, second = (train(part, "full_image", recipe, True, tmp_path) for _ in range(2))
    assert (first[3].cached, second[3].cached) == (0, 1)
    assert first[0] == second[0]
    (file,) = tmp_path.glob("*.npy")
    norms = np.linalg.norm(np.load(file), axis=1)
    assert np.ptp(norms) > 1e-3, "not normalised: some losses look at lengths"


def test_nothing_is_encoded_where_it_is_of_no_use(part):
    backbone = disturb(random(shape(SOURCE)))
    for recipe in (Recipe(epochs=0), Recipe(losses=("mlm",), augmentation="none")):
        loader = Loader(SOURCE, recipe, 0, torch.device("cpu"))
        loader.share(backbone, part)
        assert not loader._fixed
