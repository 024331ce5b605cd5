"""Is a step with compiled blocks that of eager ones?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from harness.benchmark.doctor import _training
from harness.benchmark.doctor._line import Line, Setting, absent, within

METHODS = ("lora", "prefix", "adapter", "up_person")
LIMIT = 1e-3


def check(setting: Setting) -> Iterator[Line]:
    """Losses of a whole short training, so that gradients count."""
    if setting.device.type != "cuda":
        yield absent("compiled steps", "examined on CUDA alone")
        return
    for method in METHODS:
        yield compared(method, setting.device)


def compared(method: str, device: torch.device) -> Line:
    """A method's line."""
    eager = _training.run(_training.training(method, device))
    found = _training.run(_training.training(method, device, compiled=True))
    # A tensor's maximum is no number where one value is none.
    apart = float(torch.tensor([abs(a - b) / abs(a) for a, b in zip(eager, found, strict=True)]).max())
    return within(f"{method}, compiled", LIMIT, loss=apart)
