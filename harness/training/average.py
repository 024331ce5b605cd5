"""The mean of what is trained over a training, which is measured and kept in place of the last step's parameters.

    2 epochs     m = mean of the parameters at the ends of the last two epochs (stochastic weight averaging: Izmailov
                 et al., UAI 2018); until the first of these ends m is the last end itself
    decay d      m_t = m_{t-1} + w_t (p_t - m_{t-1}),  w_t = (1 - d) / (1 - d^t): the exponential mean over steps,
                 divided by the sum of its weights, so that the untrained start has no part in it; d towards 1 is the
                 mean of all steps (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992)

Training itself goes on from the parameters as they are. Frozen parameters and buffers are not averaged: of a trained
method nothing but its trained parameters is kept. Heads are thrown away, so that theirs is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.training.recipe import Recipe, averaged


class Average:
    """A function of the parameters after each step and of the steps' numbers, so that it can be entered anywhere.

    Args:
        parameters: What is trained, by name, on their device.
        recipe: `average`, which is not None, and `epochs`.
        steps: In an epoch.

    Attributes:
        mean: By name, float32, shaped as the parameters and beside them; the start before the first step.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], recipe: Recipe, steps: int) -> None:
        assert recipe.average is not None
        self.parameters, self.steps = parameters, steps
        last, self.decay = averaged(recipe.average)
        self.before = recipe.epochs - last  # epochs whose ends have no part in it
        self.mean: dict[str, Tensor] = {
            name: torch.empty_like(p, dtype=torch.float32, requires_grad=False).copy_(p.detach())
            for name, p in parameters.items()
        }

    def weight(self, done: int) -> float:
        """Of the parameters after `done` steps in the mean up to there; 0 where they have no part in it."""
        if self.decay is not None:
            return (1 - self.decay) / (1 - self.decay**done)
        return 0.0 if done % self.steps else 1 / max(1, done // self.steps - self.before)

    def add(self, done: int) -> None:
        """Take in the parameters as they are after `done` steps."""
        if weight := self.weight(done):
            for name, p in self.parameters.items():
                self.mean[name].lerp_(p.detach().float(), weight)
