"""Does a training that was stopped and entered again end with the same bits?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from harness.benchmark.doctor import _training
from harness.benchmark.doctor._line import Line, Setting, same

METHODS = ("lora", "adapter", "full")


def check(setting: Setting) -> Iterator[Line]:
    """Left within an epoch and entered by another training object."""
    for method in METHODS:
        whole = _training.training(method, setting.device)
        losses = _training.run(whole)
        first = _training.training(method, setting.device)
        seen = _training.run(first, 2)
        kept = {name: value.detach().clone().cpu() for name, value in first.tensors().items()}
        second = _training.training(method, setting.device)
        second.enter(kept, first.done, first.rate)  # from the CPU, as a checkpoint's
        seen += _training.run(second)
        pairs = [(a, second.parameters[name]) for name, a in whole.parameters.items()]
        wrong = sum(int((a != b).sum()) for a, b in pairs) + sum(a != b for a, b in zip(losses, seen, strict=True))
        assert all(torch.isfinite(a).all() for a, _ in pairs)
        count = sum(a.numel() for a, _ in pairs) + len(losses)
        yield same(f"{method}, stopped after step 2", wrong, count, "parameters and losses")
