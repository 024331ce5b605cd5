"""The precision of the released code of UP-Person on a GPU, for parity with its results (`precision: fp16-reference`).

float16 are the frozen weights (linears, patch embedding, tables), the activations, and of the trained parameters those
that live inside CLIP there: adapters, prefix tokens and their scalars, and the scalars of LoRA. float32 are LoRA's A
and B, the scales of adapters and of the prefix, every LayerNorm, and the losses. LoRA's update is added to the frozen
weight as a dense float16 matrix. There is neither autocast nor a loss scale.

Adam keeps float16 moments for float16 parameters: the second one underflows for gradients below about 5e-3, and then
eps alone divides. That is why the released eps of 1e-3 is part of the precision. Modules say by `HALF` which of their
own parameters are float16 there; a method with others has no half precision in the released code and is refused.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.errors import EnvironmentFault, UserError
from harness.model.clip import Backbone, ImageTower, TextTower
from harness.model.parts.mlp import Mlp

LINEARS = (nn.Linear, nn.Conv2d)
TABLES = (nn.Embedding, ImageTower, TextTower)


@runtime_checkable
class Update(Protocol):
    """A module that can add its update to the frozen weight as a dense matrix (`methods/lora.py`)."""

    frozen: nn.Module
    dense_delta: bool


class HalfConv2d(nn.Conv2d):
    """A convolution that brings its input to its own precision."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype))


class WideLayerNorm(nn.LayerNorm):
    """A LayerNorm in float32 of any input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).to(x.dtype)


def place(backbone: Backbone, device: torch.device, precision: str) -> Backbone:
    """Bring a backbone with a method attached to a device, and for `fp16-reference` to the released precision.

    Raises:
        UserError: the method has no half precision in the released code.
        EnvironmentFault: the device cannot compute in half precision.
    """
    backbone.to(device)
    if precision == "fp16-reference":
        _try(device)
        for module in [*backbone.modules()]:
            _convert(module)
    return backbone


def _convert(module: nn.Module) -> None:
    own = dict(module.named_parameters(recurse=False))
    name = type(module).__name__
    if isinstance(module, LINEARS):
        halved = own
        if isinstance(module, nn.Conv2d):
            module.__class__ = HalfConv2d
    elif isinstance(module, nn.LayerNorm):
        halved, module.__class__ = {}, WideLayerNorm
    elif isinstance(module, TABLES):
        # Frozen, their float16 values are those that the released code gets by casting what it looked up.
        if any(p.requires_grad for p in own.values()):
            raise _refused(f"trained {name} tables")
        halved = own
    elif own and "HALF" not in vars(type(module)):  # a subclass computes something else
        raise _refused(f"'{name}'")
    else:
        halved = {key: own[key] for key in vars(type(module)).get("HALF", ()) if key in own}
    for parameter in halved.values():
        parameter.data = parameter.data.half()
    if isinstance(module, Mlp):
        module.folds = False
    if isinstance(module, Update):
        if type(module.frozen) is not nn.Linear:
            raise _refused(f"'{name}' around another module")
        module.dense_delta = True


def _refused(what: str) -> UserError:
    parts = "lora, prefix, s_prefix, l_adapter, their unions, up_person, bitfit or layer_norm"
    return UserError(f"the released code has no half precision for {what}", "recipe.precision", parts)


def _try(device: torch.device) -> None:
    """Every kind of operation once.

    Raises:
        EnvironmentFault: one of them is missing.
    """
    x = torch.ones(1, 1, 2, 16, device=device, dtype=torch.float16, requires_grad=True)
    try:
        found = F.scaled_dot_product_attention(x, x, x, is_causal=True)
        found = F.silu(F.linear(found, found[0, 0])).sum() + F.conv2d(x, x).sum() + F.gelu(x).sum()
        found.backward()
    except RuntimeError as fault:
        raise EnvironmentFault(
            f"float16 does not run on this {device.type}: {str(fault).splitlines()[0]}", "recipe.precision", "bf16"
        ) from fault
