"""Has every method here, in float32, the features, loss and gradients that float64 on the CPU gives?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from harness.adaptation.method import trainable
from harness.benchmark.doctor import _step
from harness.benchmark.doctor._line import Line, Setting, absent, within
from harness.model.clip import Backbone

LIMIT = 1e-3  # a gradient scaled by 1.01 is ten times further off
SLOPE = 1e-5
EPSILON = 1e-5
# Whose published gradient is not the slope of its loss.
CONSTANT = {"dora": "the published gradient takes the norm of a weight as a constant"}


def check(setting: Setting) -> Iterator[Line]:
    """A line per method; float64's gradients are held against the loss's slope, as both share the method's code."""
    tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        for name in _step.methods():
            reference = _step.model(name, torch.device("cpu"), torch.float64)
            exact = _step.step(reference)
            yield within(
                f"{name} in float32",
                LIMIT,
                **_step.step(_step.model(name, setting.device, torch.float32)).errors(exact),
            )
            if exact.gradients and name in CONSTANT:
                yield absent(f"{name}, gradient against slope", CONSTANT[name])
            elif exact.gradients:
                yield within(f"{name}, gradient against slope", SLOPE, slope=slope(reference))
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32


@torch.no_grad()
def slope(backbone: Backbone) -> float:
    """Relative error of the gradients in `.grad` against a central difference along them, every tensor with its share.

    Each tensor is moved along its own gradient at length 1, so that one that is scaled by 1.01 shows.
    """
    parameters = {n: p for n, p in trainable(backbone).items() if p.grad is not None and float(p.grad.norm()) > 0}
    gradients = {n: p.grad for n, p in parameters.items() if p.grad is not None}
    if not gradients:
        return float("inf")
    start = {n: p.clone() for n, p in parameters.items()}
    ends = []
    for sign in (1, -1):
        for n, p in parameters.items():
            p.copy_(start[n] + sign * EPSILON * gradients[n] / gradients[n].norm())
        with torch.enable_grad():  # without it a module leaves its own loss out
            ends.append(float(_step.loss(backbone)[1].detach()))
    for n, p in parameters.items():
        p.copy_(start[n])
    expected = sum(float(g.norm()) for g in gradients.values())
    return abs((ends[0] - ends[1]) / (2 * EPSILON) / expected - 1)
