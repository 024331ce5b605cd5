"""The loop: what is not finite is found, named with its step and batch, and checkpoints that do not fit are refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from harness.data.pipeline.batches import Batch
from harness.errors import UserError
from harness.model.clip import Shape, TowerShape
from harness.model.weights import random
from harness.training.loop import Diverged, Training, differences
from harness.training.recipe import Recipe

SHAPE = Shape(
    TowerShape("image", 64, 1, 1, 128, 9, 32, (4, 2), 16),
    TowerShape("text", 32, 1, 1, 64, 24, 32, vocabulary=80),
    quick_gelu=True,
)
SAMPLES, BATCH, STEPS = 12, 3, 4


class Poison(torch.autograd.Function):
    """The identity, with a gradient that is not finite."""

    @staticmethod
    def forward(ctx, x: Tensor, value: float) -> Tensor:
        ctx.value = value
        return x.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.value, None


class Site(nn.Module):
    """Trained noise that turns bad in one step, in the loss or in the gradient alone."""

    def __init__(self, width: int, at: int | None, value: float, forward: bool) -> None:
        super().__init__()
        self.shift, self.calls = nn.Parameter(torch.zeros(width)), 0
        self.at, self.value, self.forward_ = at, value, forward

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls - 1 != self.at:
            return x + self.shift
        return x + self.shift * self.value + self.value if self.forward_ else Poison.apply(x + self.shift, self.value)


def training(at: int | None = None, value: float = float("nan"), forward: bool = False, **settings) -> Training:
    backbone = random(SHAPE, seed=0)
    backbone.text.head.append(Site(32, at, value, forward))
    recipe = Recipe(**({"epochs": 2, "batch": BATCH, "warmup_epochs": 0} | settings))
    return Training(backbone, recipe, STEPS)


def batches(epoch: int, start: int = 0) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(SAMPLES, 3, 64, 32, generator=generator)
    ids = torch.randint(1, 77, (SAMPLES, 24), generator=generator)
    ids[:, 0], ids[:, -1] = 78, 79
    for rows in torch.arange(SAMPLES).roll(epoch).split(BATCH)[start:]:
        yield Batch(images, rows, ids[rows], rows, rows, rows.numpy())


def prepare(batch: Batch, epoch: int) -> tuple[Tensor, Tensor]:
    return batch.store[batch.picture], batch.ids


@pytest.mark.parametrize(
    "settings", [{}, {"clip_gradient": 1.0}, {"average": "2 epochs"}, {"average": "decay 0.9"}], ids=str
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("forward", [False, True])
def test_a_loss_or_gradient_that_is_not_finite_is_named_with_step_and_batch(forward, value, settings):
    run, seen = training(6, value, forward, **settings), []
    with pytest.raises(Diverged, match="from step 3 of epoch 2 on") as caught:
        for step in run.run(batches, prepare):
            seen.append(float(step.loss))
    assert len(seen) == 6 and all(torch.isfinite(torch.tensor(seen)))
    assert caught.value.samples == (5, 6, 7)


def test_a_gradient_that_broke_before_a_stop_is_still_found(monkeypatch):
    # As on a GPU, where nothing waits for the flag within an epoch.
    monkeypatch.setattr(Training, "_first_broken", lambda self, wait: int(self._broken) if wait else self.steps)
    one = training(1)
    steps = one.run(batches, prepare)
    next(steps), next(steps)
    saved = {name: value.clone() for name, value in one.tensors().items()}
    other = training()
    other.enter(saved, one.done, one.rate)
    with pytest.raises(Diverged, match="from step 2 of epoch 1 on") as caught:
        list(other.run(batches, prepare))
    assert caught.value.samples == (3, 4, 5) and other.done == STEPS


def test_the_loss_of_an_epoch_is_its_mean():
    run, losses = training(), []
    for step in run.run(batches, prepare):
        losses.append(float(step.loss))
        first = len(losses) - 1 - step.step % STEPS
        part = losses[first:]
        assert run.loss == pytest.approx(sum(part) / len(part), rel=1e-6)
        assert run.done == len(losses) and run.epoch == run.done // STEPS and step.last == (run.done % STEPS == 0)


def test_modules_train_in_a_step_and_a_trial_may_look_between():
    run = training()
    for _ in run.run(batches, prepare):
        assert run.modules.training
        run.modules.eval()


def state(**changes) -> dict[str, Tensor]:
    run = training()
    next(run.run(batches, prepare))
    found = {name: value.clone() for name, value in run.tensors().items()} | changes
    return {name: value for name, value in found.items() if value is not None}


NAME = "backbone.text.head.0.shift"


@pytest.mark.parametrize("changes, words", [
    ({f"trained/{NAME}": None}, f"missing trained/{NAME}"),
    ({"trained/other": torch.zeros(1)}, "unexpected trained/other"),
    ({f"trained/{NAME}": torch.zeros(31)}, rf"trained/{NAME} is \(31,\), not \(32,\)"),
    ({f"optimizer/{NAME}/exp_avg": torch.zeros(3)}, rf"optimizer/{NAME}/exp_avg is \(3,\), not \(32,\)"),
    ({"optimizer/other/exp_avg": torch.zeros(3)}, "unexpected optimizer/other/exp_avg"),
    ({"loss": None}, "missing loss"),
])  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused_whole(changes, words):
    run = training()
    before = {name: value.clone() for name, value in run.tensors().items()}
    with pytest.raises(UserError, match=words):
        run.enter(state(**changes), 1, 0.1)
    assert run.done == 0 and not run.adam.state
    assert all(torch.equal(value, before[name]) for name, value in run.tensors().items())


def test_differences_are_counted():
    words = differences({"a": (1,), "b": (2,), "c": ()}, {"d": torch.zeros(1), "b": torch.zeros(3)})
    assert words == "missing a; missing c; unexpected d (4 in all)"
    assert differences({"a": (1,)}, {"a": torch.zeros(1)}) == ""
