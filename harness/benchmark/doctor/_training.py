"""A short training on drawn noise."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from harness import registry
from harness.adaptation.probe import SMALL, small
from harness.data.pipeline.batches import Batch
from harness.training.loop import Training
from harness.training.recipe import Recipe

STEPS, BATCH = 3, 8


def training(method: str, device: torch.device, compiled: bool = False) -> Training:
    """As a trial prepares it, in float32 on the small backbone."""
    backbone = small(torch.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        registry.find("methods", method).Method().attach(backbone)
    recipe = Recipe(epochs=2, batch=BATCH, warmup_epochs=1.0, lr=0.01, precision="float32", compile=compiled)
    return Training(backbone.to(device), recipe, STEPS)


def batch(device: torch.device, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Images [B, 3, 64, 32] and captions [B, 24], each row a function of its number."""
    images, ids = [], []
    for row in rows.tolist():
        generator = torch.Generator().manual_seed(row)
        images.append(torch.randn(3, 64, 32, generator=generator))
        words = torch.randint(1, 77, (SMALL.text.tokens,), generator=generator)
        words[0], words[-1] = 78, 79
        ids.append(words)
    return torch.stack(images).to(device), torch.stack(ids).to(device)


def batches(epoch: int, start: int = 0) -> Iterator[Batch]:
    """Batches of an epoch from `start` on."""
    for rows in torch.arange(STEPS * BATCH).roll(epoch).split(BATCH)[start:]:
        yield Batch(rows, rows, rows, rows // 2, rows, rows.numpy())


def run(one: Training, steps: int | None = None) -> list[float]:
    """Losses of so many further steps, or of all that are left."""
    losses = []
    for step in one.run(batches, lambda some, epoch: batch(one.device, some.index)):
        losses.append(float(step.loss))
        if len(losses) == steps:
            break
    return losses
