"""What a trial cost, measured; what was not measured is None."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch
from safetensors.torch import save
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from harness import memory
from harness.adaptation.method import merge, state, trainable
from harness.model.clip import Backbone, Tower

WARM_UP = 5  # steps that are left out of the step time
IDLE, PASSES = 1, 3  # passes of one input: not counted, counted


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


@torch.inference_mode()
def latencies(backbone: Backbone, images: Tensor, ids: Tensor, bf16: bool = False) -> dict[str, float | None]:
    """Columns `latency_*`: milliseconds of one image and of one caption through their towers, as trained and merged.

    Merges the backbone in place. Medians of `PASSES` single passes after `IDLE` that are not counted; the caption is
    cut to its length, as it is wherever texts are encoded. Merged ones are None where nothing can be folded.

    Args:
        backbone: With a method attached; merged afterwards.
        images: float [>= 1, 3, H, W], on the device; the first is taken.
        ids: int64 [>= 1, L]; the first is taken.
        bf16: Whether the towers run in bfloat16 autocast.
    """
    image, text = images[:1].clone(), ids[:1, : int(ids[0].argmax()) + 1].clone()
    backbone.eval()

    def both(kind: str) -> dict[str, float]:
        inputs = (("image", backbone.image, image), ("text", backbone.text, text))
        return {f"latency_{name}{kind}_ms": 1000 * _passing(tower, x, bf16) for name, tower, x in inputs}

    found: dict[str, float | None] = {"latency_image_merged_ms": None, "latency_text_merged_ms": None, **both("")}
    return {**found, **both("_merged")} if merge(backbone) else found


def _passing(tower: Tower, x: Tensor, bf16: bool) -> float:
    """Median seconds of a pass of one input."""
    seconds = []
    for _ in range(IDLE + PASSES):
        _wait(x.device)
        begin = time.perf_counter()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            tower(x)
        _wait(x.device)
        seconds.append(time.perf_counter() - begin)
    return median(seconds[IDLE:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def joules(device: torch.device) -> float | None:
    """Reading of the accelerator's energy counter (NVML); None without one, or without the bindings `nvidia-ml-py`."""
    if device.type != "cuda":
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
            return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # a column that is null is no reason for a trial to fail
        return None


def saved_bytes(backbone: Backbone) -> int:
    """Bytes of the saved trained parameters, as safetensors."""
    return len(save({name: value.contiguous() for name, value in state(backbone).items()}))


def reset_peak(device: torch.device) -> None:
    """Start a new measurement of peak memory and energy; there is one of a device at a time."""
    _started[device.type] = memory.Peak(device), joules(device)


def peak(device: torch.device) -> int | None:
    """Peak bytes since `reset_peak`, see `harness.memory.Peak`; None where they are not measured."""
    return _started[device.type][0].bytes() if device.type in _started else None


def energy(device: torch.device) -> float | None:
    """Joules since `reset_peak`, see `joules`; None where they are not measured."""
    before, now = _started.get(device.type, (None, None))[1], joules(device)
    return None if before is None or now is None else now - before


_started: dict[str, tuple[memory.Peak, float | None]] = {}
