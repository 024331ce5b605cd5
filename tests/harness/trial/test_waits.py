"""Between two steps the host waits for nothing on the device, and sends it nothing that is there already."""

from __future__ import annotations

import contextlib

import pytest
import torch

from harness import registry
from harness.data.pipeline import tokens
from harness.model.weights import random, shape
from harness.training import heads, objective
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial.loader import Loader
from tests.harness.trial import short
from tests.harness.trial.fake_gpu import GPU, FakeGpu, fake_gpu

ROOM, NONE = 1 << 40, 0


def within(gpu: FakeGpu, method: str, **settings) -> tuple[list[str], list[str]]:
    """Waits and copies of a step within the second epoch, whose first step sends the order and last tells of faults."""
    sizes = shape(short.SOURCE)
    backbone = random(sizes)
    registry.find("methods", method).Method().attach(backbone)
    recipe = Recipe(epochs=2, batch=6, **settings)
    extra = heads.build(objective.heads(recipe.losses), sizes.image.embed, 4, 0, sizes.text.vocabulary, 1)
    loader = Loader(short.SOURCE, recipe, 0, GPU)
    batches, count = loader.batches(short.part())
    training = Training(backbone.to(GPU), recipe, count, {n: m.to(GPU) for n, m in extra.items()})
    steps, found = training.run(batches, loader.prepare), []
    for _ in range(5):
        gpu.waits.clear()
        gpu.sent.clear()
        next(steps)
        found.append((gpu.waits[:], gpu.sent[:]))
    assert count == 3 and found[2][0] and found[3][1]
    return found[4]


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("lora", {"losses": ("sdm", "id", "mlm"), "augmentation": "irra"}),
        (
            "up_person",
            {
                "losses": ("tal",),
                "mask_captions": 0.2,
                "augmentation": "flip_crop",
                "clip_gradient": 1.0,
                "average": "decay 0.9",
            },
        ),
        ("coop", {"losses": ("sdm", "mlm"), "augmentation": "none"}),
        ("full", {"losses": ("cmpm", "itc", "triplet"), "augmentation": "none", "sampler": "identity", "instances": 2}),
    ],
)
def test_a_step_waits_for_nothing_and_is_sent_nothing(monkeypatch, method, settings):
    with fake_gpu(monkeypatch, ROOM) as gpu:
        assert within(gpu, method, **settings) == ([], [])


def test_images_on_the_host_are_sent_without_a_wait(monkeypatch):
    with fake_gpu(monkeypatch, NONE) as gpu:
        assert within(gpu, "layer_norm", augmentation="flip") == ([], ["_to_copy"])


@pytest.mark.parametrize(
    ("waits", "sent", "act"),
    [
        (1, 0, lambda x: x.sum().item()),
        (1, 0, lambda x: x.cpu()),
        (1, 0, lambda x: x[x > 0]),
        (1, 1, lambda x: torch.ones(3).to(GPU)),
        (1, 1, lambda x: torch.tensor([1, 2], device=GPU)),
        (1, 1, lambda x: torch.as_tensor([1, 2], device=GPU)),
        (1, 1, lambda x: torch.ones(3).to(GPU, non_blocking=True)),
        (0, 1, lambda x: torch.ones(3, pin_memory=True).to(GPU, non_blocking=True)),
        (1, 0, lambda x: torch.ones(3, pin_memory=True).copy_(x)),
        (0, 0, lambda x: torch.ones(3, pin_memory=True).copy_(x, non_blocking=True)),
        (0, 0, lambda x: x[torch.zeros(2, dtype=torch.int64, device=GPU)] + 1),
    ],
)
def test_waits_are_counted(monkeypatch, waits, sent, act):
    with fake_gpu(monkeypatch, ROOM) as gpu:
        x = torch.ones(3, device=GPU)
        with contextlib.suppress(NotImplementedError):  # a result whose size nobody knows
            act(x)
        assert (len(gpu.waits), len(gpu.sent)) == (waits, sent)


def test_masked_words_are_those_that_are_counted_after_the_draw():
    recipe = Recipe(epochs=2, batch=5, losses=("sdm", "mlm"), mlm_share=0.3, augmentation="none")
    loader = Loader(short.SOURCE, recipe, 0, short.CPU)
    words, (batches, _) = loader.words, loader.batches(short.part())
    for epoch in (0, 1):
        for batch in batches(epoch):
            _, ids, masked, listed = loader.prepare(batch, epoch)
            given = (0.3, 0, epoch, batch.index, words.mask, words.vocabulary, (words.start, words.end))
            want, labels = tokens.mask_labelled(batch.ids, *given)
            assert torch.equal(ids, tokens.trim(batch.ids)) and torch.equal(masked, want)
            places = labels.nonzero()
            assert torch.equal(listed, torch.cat([places, labels[labels > 0][:, None]], dim=1)) and len(places) >= len(
                ids
            )
