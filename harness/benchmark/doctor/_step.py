"""Features, loss and gradients of a method on the small backbone, on any device and in any precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness import registry
from harness.adaptation.method import extra_loss, trainable
from harness.adaptation.probe import Case, attached, disturb, inputs
from harness.benchmark.capabilities import needed
from harness.model.clip import Backbone
from harness.training.losses import sdm

TEMPERATURE = 0.1
FLOOR = 1e-2  # of the largest gradient: smaller ones are compared against this


@dataclass(frozen=True)
class Found:
    """All in float64 on the CPU."""

    features: dict[str, Tensor]
    loss: dict[str, Tensor]
    gradients: dict[str, Tensor]

    def errors(self, other: Found) -> dict[str, float]:
        """Largest differences from `other` by part, relative to the largest value of each tensor."""
        parts = {name: (getattr(self, name), getattr(other, name)) for name in ("features", "loss", "gradients")}
        return {name: _error(*pair, FLOOR if name == "gradients" else 0.0) for name, pair in parts.items() if pair[1]}


def _error(mine: dict[str, Tensor], theirs: dict[str, Tensor], floor: float) -> float:
    if mine.keys() != theirs.keys():
        return float("inf")
    largest = max(float(value.abs().max()) for value in theirs.values())
    errors = [
        float((mine[n] - theirs[n]).abs().max() / max(float(theirs[n].abs().max()), floor * largest, 1e-30))
        for n in theirs
    ]
    return max(errors) if all(e == e for e in errors) else float("nan")


def methods() -> list[str]:
    """Methods that need no option."""
    return [name for name in registry.names("methods") if not needed(registry.find("methods", name))]


def model(name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    """The small backbone with the method, its trained parameters moved away from their start."""
    backbone = attached(Case(name, registry.find("methods", name)).small())
    return disturb(backbone).to(device=device, dtype=dtype)


def loss(backbone: Backbone, bf16: bool = False) -> tuple[dict[str, Tensor], Tensor]:
    """Features by tower and the loss, with their graph."""
    like = backbone.image.position
    images, ids = (each.to(like.device) for each in inputs(like.dtype))
    with torch.autocast(like.device.type, torch.bfloat16, enabled=bf16):
        image, text = backbone.image(images), backbone.text(ids)
    image, text = image.to(like.dtype), text.to(like.dtype)
    whole = sdm.loss(image, text, torch.arange(len(image), device=like.device) // 2, TEMPERATURE)
    extra = extra_loss(backbone)
    return {"image": image, "text": text}, whole if extra is None else whole + extra.to(whole.dtype)


def step(backbone: Backbone, bf16: bool = False) -> Found:
    """What a step sees."""
    features, whole = loss(backbone, bf16)
    parameters = trainable(backbone)
    if parameters:
        whole.backward()
    gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in parameters.items()}
    return Found(_plain(features), _plain({"loss": whole}), _plain(gradients))


def _plain(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().double().cpu() for name, value in values.items()}
