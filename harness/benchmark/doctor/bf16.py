"""Is every method in bf16 near to what it is in float32?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from harness.benchmark.doctor import _step
from harness.benchmark.doctor._line import Line, Setting, within

LIMIT = 0.05  # bf16 keeps 8 bits; on a CPU at most 0.02


def check(setting: Setting) -> Iterator[Line]:
    """A line per method: features and loss; gradients in bf16 have no limit of use on a batch of four."""
    for name in _step.methods():
        exact = _step.step(_step.model(name, setting.device, torch.float32))
        errors = _step.step(_step.model(name, setting.device, torch.float32), bf16=True).errors(exact)
        yield within(f"{name} in bf16", LIMIT, features=errors["features"], loss=errors["loss"])
