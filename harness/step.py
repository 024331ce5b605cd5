"""One step's loss and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from harness import losses
from harness.clip import Backbone
from harness.method import extra_loss
from harness.recipe import Recipe


class Stepper:
    """Computes a batch's loss and leaves its gradients in `.grad` of the trained parameters.

    Args:
        backbone: On its device, with a method attached.
        recipe: Losses, temperature, precision.
        heads: Modules that losses need, such as the classifier of the identity loss.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe, heads: Mapping[str, nn.Module]) -> None:
        self.backbone, self.recipe, self.heads = backbone, recipe, heads
        device = backbone.text.position.device.type
        self.precision = torch.autocast(device, torch.bfloat16) if recipe.bf16(device) else nullcontext()

    def __call__(self, images: Tensor, ids: Tensor, person: Tensor) -> Tensor:
        """The loss of a batch, detached and on the device.

        Args:
            images: float [B, 3, H, W].
            ids: int64 [B, L].
            person: int64 [B].
        """
        recipe = self.recipe
        with self.precision:
            image, text = self.backbone.image(images), self.backbone.text(ids)
        parts = losses.compute(recipe.losses, image.float(), text.float(), person, recipe.temperature, **self.heads)
        loss = sum(parts.values())
        if (extra := extra_loss(self.backbone)) is not None:
            loss = loss + extra
        loss.backward()
        return loss.detach()
