"""Is augmentation here, bit for bit, what it is elsewhere?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from harness.benchmark.doctor._line import BAD, OK, Line, Setting, same
from harness.data.pipeline import augment

COUNT = 12
# Of the bytes of `flip_crop` below: integers alone decide them, so that they are those of every machine.
DIGEST = "34adee7074688770"


def check(setting: Setting) -> Iterator[Line]:
    """Known bytes, every preset against the CPU, and a batch against its samples one by one."""
    found = drawn("flip_crop", setting.device)
    digest = hashlib.sha256(found.round().to(torch.uint8).cpu().numpy().tobytes()).hexdigest()[:16]
    yield Line("flip and crop, digest of bytes", digest, DIGEST, OK if digest == DIGEST else BAD)
    for preset, plan in augment.PRESETS.items():
        if plan.jitter:
            continue  # rounds to 8 bits: no claim of equal bits
        whole = drawn(preset, setting.device).cpu()
        alone = torch.cat([drawn(preset, torch.device("cpu"), slice(i, i + 1)) for i in range(COUNT)])
        yield same(
            f"{preset}, a batch against samples on the CPU", int((whole != alone).sum()), whole.numel(), "values"
        )


def drawn(preset: str, device: torch.device, rows: slice = slice(None)) -> Tensor:
    """Augmented images [B, 3, 96, 32] of bytes without an order, in 0..255 as floats."""
    cells = torch.arange(COUNT * 3 * 96 * 32)
    images = ((cells * 2654435761) >> 13 & 255).to(torch.uint8).view(COUNT, 3, 96, 32)
    index = torch.arange(100, 100 + COUNT)
    scale = (1 / 255,) * 3
    return augment.prepare(images[rows].to(device), preset, (0.0,) * 3, scale, 5, 2, index[rows].to(device))
