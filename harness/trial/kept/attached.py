"""A backbone with a trial's method attached, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness import registry
from harness.adaptation import carried
from harness.adaptation.method import make
from harness.model import half_precision
from harness.model.clip import Backbone
from harness.model.source import Source, from_json


def source_of(trial: Mapping[str, Any]) -> Source:
    """The backbone of a trial as JSON has it."""
    return from_json(trial["backbone"])


def attached(trial: Mapping[str, Any], source: Source, device: str | None = None) -> Backbone:
    """The same for the same trial: frozen weights, and the method as the trial's seed starts it.

    Args:
        trial: A resolved trial's values.
        source: The backbone.
        device: Where it is put; default the trial's.
    """
    backbone = carried.load(source)
    method = make(registry.find("methods", trial["method"]), trial["options"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial["seed"])
        method.attach(backbone)
    return half_precision.place(backbone, torch.device(device or trial["device"]), trial["recipe"]["precision"])
