"""Towers from a state dict in open_clip's or OpenAI's naming, brought to the wanted grid, or from a random start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.errors import UserError
from harness.model.clip import Backbone, Shape
from harness.model.names import ours


def from_state(sizes: Shape, state: Mapping[str, Tensor], grid: tuple[int, int], resize: str) -> Backbone:
    """A frozen backbone from a state dict in open_clip's or OpenAI's naming.

    `grid` is the (rows, columns) of patches of the position embedding in `state`.
    """
    own = {}
    for key, value in state.items():
        for name, part in ours(key, value):
            # A copy: what is read is kept for later trials, and a method may train these very parameters.
            own[name] = part.to(torch.float32, copy=True)
    position = own.get("image.position")
    if position is not None:
        own["image.position"] = resize_position(position, grid, sizes.image.grid, resize)
    with torch.device("meta"):
        backbone = Backbone(sizes)
    expected = backbone.state_dict()
    wrong = [
        f"{'missing' if k not in own else 'unexpected' if k not in expected else 'shape of'} {k}"
        for k in [*expected, *(k for k in own if k not in expected)]
        if k not in own or k not in expected or own[k].shape != expected[k].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UserError(f"checkpoint does not fit the backbone: {', '.join(wrong[:3])}{more}", "backbone.pretrained")
    backbone.load_state_dict(own, assign=True)
    return backbone.requires_grad_(False).eval()


def resize_position(table: Tensor, old: tuple[int, int], new: tuple[int, int], resize: str) -> Tensor:
    """Position embedding [1 + old patches, width] to [1 + new patches, width]; the class token's row is kept."""
    if len(table) != 1 + math.prod(old):
        raise UserError(f"position embedding has {len(table) - 1} patches", "backbone.pretrained", f"{old[0]}x{old[1]}")
    if old == new:
        return table
    grid = table[1:].T.reshape(1, -1, *old)
    bicubic = resize == "bicubic"
    grid = F.interpolate(grid, new, mode=resize, align_corners=False, antialias=bicubic)
    return torch.cat([table[:1], grid.flatten(2)[0].T])


def blocks(state: Iterable[str], start: str) -> int:
    """Blocks of the tower whose names begin with `start`: `visual.transformer.` or `transformer.`."""
    return len({name.removeprefix(start).split(".")[1] for name in state if name.startswith(f"{start}resblocks.")})


def ratio(patches: int) -> int | None:
    """Rows over columns of a usual grid of so many patches: 1, 2 (256x128) or 3 (384x128); None where it is none."""
    return next((k for k in (1, 2, 3) if patches == k * math.isqrt(patches // k) ** 2), None)


def random(sizes: Shape, seed: int = 0) -> Backbone:
    """A frozen backbone with CLIP's random initialisation (Radford et al. 2021, released code)."""
    generator = torch.Generator().manual_seed(seed)
    backbone = Backbone(sizes)
    for tower in backbone.towers:
        width, layers = tower.shape.width, tower.shape.layers
        inner, outer = width**-0.5, width**-0.5 * (2 * layers) ** -0.5
        for name, parameter in tower.named_parameters():
            last = name.rsplit(".", 2)[-2:]
            if "ln" in name:
                nn.init.constant_(parameter, 1.0 if last[-1] == "weight" else 0.0)
            elif last[-1] == "bias":
                nn.init.zeros_(parameter)
            else:
                known = {"out": outer, "fc2": outer, "fc1": (2 * width) ** -0.5, "embedding": 0.02}
                std = known.get(last[0], 0.01 if tower.causal and name == "position" else inner)
                nn.init.normal_(parameter, std=std, generator=generator)
    return backbone.requires_grad_(False).eval()
