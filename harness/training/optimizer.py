"""Optimizer groups that partition the trained parameters, and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from harness.errors import UserError
from harness.training.recipe import HEADS, Recipe


def groups(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Groups by (factor on the learning rate, weight decay or none); every parameter is in exactly one.

    Biases have no weight decay, as in the field's released code.

    Raises:
        UserError: a key of `lr_factors` that no parameter has, with the names of the trained modules.
    """
    found: dict[tuple[float, bool], list[nn.Parameter]] = {}
    used = set()
    for name, parameter in parameters.items():
        key = next((k for k in recipe.lr_factors if k in name), None)
        used.add(key)
        decay = not name.endswith("bias")
        found.setdefault((1.0 if key is None else recipe.lr_factors[key], decay), []).append(parameter)
    # A named recipe has factors for heads, and a study may leave out the losses that need these.
    if unused := [key for key in recipe.lr_factors if key not in used and key not in HEADS]:
        some = sorted({name.split(".")[-1] for name in parameters})
        raise UserError(
            f"no trained parameter is named '{unused[0]}'", "recipe.lr_factors", f"part of {', '.join(some)}"
        )
    return [
        {
            "params": members,
            "lr": recipe.lr * factor,
            "factor": factor,
            "weight_decay": recipe.weight_decay if decay else 0.0,
        }
        for (factor, decay), members in found.items()
    ]


def build(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer, fused, with few groups.

    Parameters in float16 take the plain loop, which keeps every intermediate value in float16, as the released code's
    optimizer does; the fused one would compute in float32.
    """
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    fused = all(p.dtype != torch.float16 for p in parameters.values())
    return kind(groups(parameters, recipe), betas=recipe.betas, eps=recipe.eps, fused=fused, foreach=False)


def factor(recipe: Recipe, epoch: float) -> float:
    """Factor on the learning rate after `epoch` epochs (a fraction when stepped per step).

    A line from `warmup_factor` to 1 over the warm-up, then half a cosine to 0 at the last epoch.
    """
    warm = recipe.warmup_epochs
    if epoch < warm:
        return recipe.warmup_factor * (1 - epoch / warm) + epoch / warm
    if recipe.schedule == "constant" or recipe.epochs <= warm:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (epoch - warm) / (recipe.epochs - warm)))


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    """Set every group's rate for a step (of `steps`) of an epoch, both from 0; returns the rate at factor 1."""
    rate = recipe.lr * factor(recipe, epoch + (step / steps if recipe.schedule_per == "step" else 0))
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    return rate
