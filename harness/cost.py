"""What a trial cost, measured; what was not measured is None."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import torch
from safetensors.torch import save
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from harness.clip import Backbone
from harness.method import state, trainable

WARM_UP = 5  # steps that are left out of the step time


@dataclass
class Stopwatch:
    """Seconds of the steps of a training, and the time spent waiting for data."""

    steps: list[float]
    waited: float = 0.0

    def add(self, seconds: float, waited: float) -> None:
        self.steps.append(seconds)
        self.waited += waited

    @property
    def step(self) -> float | None:
        """Median seconds of a step after the warm-up."""
        return median(self.steps[WARM_UP:]) if len(self.steps) > WARM_UP else None


def flops(backbone: Backbone, images: Tensor, ids: Tensor) -> tuple[float, float | None]:
    """Floating-point operations per pair, (forward, backward), of one batch by torch's counter.

    Matrix products and attention are counted; the backward pass is None when nothing is trained.
    """
    trained = bool(trainable(backbone))
    counter = FlopCounterMode(display=False)
    with counter, torch.set_grad_enabled(trained):
        total = backbone.image(images).sum() + backbone.text(ids).sum()
        forward = counter.get_total_flops()
        if trained:
            total.backward()
    both = counter.get_total_flops()
    backbone.zero_grad(set_to_none=True)
    return forward / len(images), (both - forward) / len(images) if trained else None


def saved_bytes(backbone: Backbone) -> int:
    """Bytes of the saved trained parameters, as safetensors."""
    return len(save({name: value.contiguous() for name, value in state(backbone).items()}))


def reset_peak(device: torch.device) -> None:
    """Start a new measurement of peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> int | None:
    """Peak allocated bytes since `reset_peak`; None on a CPU, where it is not measured."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
