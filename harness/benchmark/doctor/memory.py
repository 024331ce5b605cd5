"""Does a step that runs out of memory end in smaller parts, with the same loss and gradients?"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from harness.benchmark.doctor import _training
from harness.benchmark.doctor._line import BAD, OK, Line, Setting, absent, within
from harness.memory import release
from harness.training.loop import Training

BATCH = {True: 16, False: 256}
LIMIT = 1e-4


def check(setting: Setting) -> Iterator[Line]:
    """With an error raised in the image tower above half a batch; on a GPU also under a cap on the allocator."""
    size = BATCH[setting.small or setting.device.type == "cpu"]
    loss, gradients, _ = _step(_training.training("lora", setting.device), size)
    narrow = _training.training("lora", setting.device)

    def refuse(tower, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > size // 2:
            raise torch.OutOfMemoryError("out of memory, raised by the check")

    narrow.stepper.backbone.image.register_forward_pre_hook(refuse)
    yield from _compared("error raised above half a batch", narrow, size, loss, gradients)
    if setting.device.type != "cuda":
        yield absent("under a cap on memory", "only a GPU's allocator can be capped")
        return
    capped = _training.training("lora", setting.device)
    release(setting.device)
    base = torch.cuda.memory_allocated(setting.device)
    torch.cuda.reset_peak_memory_stats(setting.device)
    _step(_training.training("lora", setting.device), size)
    peak = torch.cuda.max_memory_allocated(setting.device)
    release(setting.device)
    total = torch.cuda.get_device_properties(setting.device).total_memory
    torch.cuda.set_per_process_memory_fraction((base + 0.7 * (peak - base)) / total, setting.device)
    try:
        yield from _compared("under a cap on memory", capped, size, loss, gradients)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, setting.device)


def _compared(what: str, one: Training, size: int, loss: Tensor, gradients: dict[str, Tensor]) -> Iterator[Line]:
    mine, theirs, micro = _step(one, size)
    good = micro is not None and micro < size
    yield Line(f"{what}, pairs per pass", f"{micro or size}", f"below {size}", OK if good else BAD)
    largest = max(float(g.abs().max()) for g in gradients.values())
    apart = float(torch.stack([(theirs[n] - g).abs().max() for n, g in gradients.items()]).max()) / largest
    yield within(what, LIMIT, loss=float((mine - loss).abs() / loss.abs()), gradients=apart)


def _step(one: Training, size: int) -> tuple[Tensor, dict[str, Tensor], int | None]:
    """Loss, gradients and pairs per forward pass of one step."""
    images, ids = _training.batch(one.device, torch.arange(size))
    loss = one.stepper(images, ids, torch.arange(size, device=one.device) // 2)
    return loss, {n: p.grad.clone() for n, p in one.parameters.items() if p.grad is not None}, one.stepper.micro
