"""The training loop: a generator of steps that knows no method and no data set by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness import optimizer
from harness.clip import Backbone
from harness.data.batches import Batch
from harness.errors import RunFailed
from harness.method import trainable
from harness.recipe import Recipe
from harness.step import Stepper


class Diverged(RunFailed):
    """A loss or gradient that is no finite number."""


@dataclass(frozen=True)
class Step:
    """What one optimizer step did; `loss` stays on the device, so that nothing waits for it.

    Attributes:
        epoch: From 0.
        step: Of the whole training, from 0.
        last: Whether it ends its epoch.
        loss: Scalar tensor.
        lr: Learning rate of a group with factor 1.
        waited: Seconds until the batch was there.
        seconds: Seconds of the step with the wait; on a GPU without synchronisation.
    """

    epoch: int
    step: int
    last: bool
    loss: Tensor
    lr: float
    waited: float
    seconds: float


def train(
    backbone: Backbone,
    batches: Callable[[int], Iterator[Batch]],
    steps: int,
    recipe: Recipe,
    prepare: Callable[[Batch, int], tuple[Tensor, Tensor]],
    heads: Mapping[str, nn.Module] | None = None,
) -> Iterator[Step]:
    """Train what is trainable in `backbone` and `heads`.

    Args:
        backbone: On its device, with a method attached.
        batches: Batches of an epoch.
        steps: Batches in an epoch.
        recipe: Losses, optimizer, schedule, precision.
        prepare: Batch and epoch to (images [B, 3, H, W], ids [B, L]) on the backbone's device.
        heads: Modules that losses need, such as the classifier of the identity loss.

    Yields:
        One `Step` per optimizer step.

    Raises:
        Diverged: at the end of the epoch in which the loss stopped being finite, naming the step.
    """
    if not recipe.epochs:
        return
    heads = heads or {}
    parameters = trainable(nn.ModuleDict({"backbone": backbone, **heads}))
    adam = optimizer.build(parameters, recipe)
    device = backbone.text.position.device
    stepper = Stepper(backbone, recipe, heads)
    for epoch in range(recipe.epochs):
        broken = torch.full((), steps, device=device)
        begin = time.perf_counter()
        for index, batch in enumerate(batches(epoch)):
            images, ids = prepare(batch, epoch)
            person = torch.as_tensor(batch.person, device=device)
            waited = time.perf_counter() - begin
            rate = optimizer.set_rate(adam, recipe, epoch, index, steps)
            adam.zero_grad(set_to_none=True)
            loss = stepper(images, ids, person)
            if recipe.clip_gradient:
                nn.utils.clip_grad_norm_(parameters.values(), recipe.clip_gradient)
            adam.step()
            broken = torch.where(torch.isfinite(loss), broken, broken.clamp(max=index))
            last = index == steps - 1
            if last and (first := int(broken)) < steps:
                raise Diverged(f"the loss is not finite from step {first + 1} of epoch {epoch + 1} on")
            now = time.perf_counter()
            yield Step(epoch, epoch * steps + index, last, loss, rate, waited, now - begin)
            begin = time.perf_counter()
