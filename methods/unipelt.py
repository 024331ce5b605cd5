"""UniPELT: LoRA, a prefix and a sequential adapter, each behind a gate of the sample (Mao et al. 2022).

    G(h) = mean over tokens of sigmoid(w h + c)        in (0, 1), one number per sample; w [d]

    LoRA      q and v: W h + b + G(h) B A h             G takes the place of alpha / r
    prefix    keys [G(h) P_k; K], values [G(h) P_v; V]
    adapter   y + G(y) W_up relu(W_down y)              behind the MLP

h is the input of attention, y the output of the MLP; every gate has its own w (from N(0, 0.02^2)) and c (from zero),
as in the released code. The mean runs over the tokens of a caption up to its end token, so that padding does not count.
The parts start as in `methods/lora.py`, `adapter.py` and `prefix.py` (trained directly, not through an MLP); because of
the prefix the start is no identity. Gates depend on the input, so nothing can be merged. A budget scales all three.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, scaled_width, towers
from harness.adaptation.starts import FAN_IN, ZERO, Normal, Starts, Uniform
from harness.model.clip import Backbone, Shape
from methods._tokens import Share, share
from methods.adapter import BOTTLENECK, Bottleneck, count
from methods.lora import dense
from methods.prefix import Prefix


@options
class Method:
    rank: Annotated[int, Field(ge=1)] = 8
    length: Annotated[int, Field(ge=1)] = 10
    width: Annotated[int, Field(ge=1)] = 48  # of the bottleneck in the wider tower, in proportion in the other
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2110.07577"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("rank", "length", "width")
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(
        ("a", *(f"{x}.{y}" for x in ("lora_gate.linear", "adapter_gate.linear", "down") for y in ("weight", "bias"))),
        "B and W_up start at zero",
    )
    starts: ClassVar[Starts] = {
        **BOTTLENECK,
        **{"a": FAN_IN, "b": ZERO, "keys": Uniform(0.0, 0.01), "values": Uniform(0.0, 0.01)},
        **{"linear.weight": Normal(0.02), "linear.bias": ZERO},
    }

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            like, d = tower.position, tower.shape.width
            for name in ("q", "v"):
                setattr(block.attn, name, LowRank(getattr(block.attn, name), self.rank, Gate(like, d, share(tower))))
            prefix = Prefix(like.new_empty(2, self.length, d), 1.0, False, False)
            block.attn.prefix.append(GatedPrefix(prefix, Gate(like, d, share(tower))))
            inner = Bottleneck(like, d, scaled_width(self.width, tower.shape, backbone.shape))
            block.after_mlp.append(GatedAdapter(inner, Gate(like, d, share(tower))))

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, t.layers))
            * ((4 * self.rank + 2 * self.length + 4) * t.width + 4 + count(t.width, scaled_width(self.width, t, shape)))
            for t in towers(shape, self.towers)
        )

    def limits(self, shape: Shape) -> dict[str, int]:
        """Neither a rank nor a bottleneck exceeds the stream."""
        widths = [tower.width for tower in towers(shape, self.towers)]
        return {"rank": min(widths), "width": max(widths)}


class Gate(nn.Module):
    """G, [batch, tokens, d] to [batch, 1, 1]."""

    def __init__(self, like: Tensor, width: int, mean: Share) -> None:
        super().__init__()
        self.mean, self.linear = mean, nn.Linear(width, 1, device=like.device, dtype=like.dtype)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, h: Tensor) -> Tensor:
        return (self.linear(h).sigmoid() * self.mean(h)[..., None]).sum(dim=1, keepdim=True)


class LowRank(nn.Module):
    """A frozen linear plus a gated low-rank update."""

    def __init__(self, frozen: nn.Module, rank: int, gate: Gate) -> None:
        super().__init__()
        self.frozen, self.lora_gate = frozen, gate
        weight = dense(frozen).weight
        self.a = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.b = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, h: Tensor) -> Tensor:
        """h [batch, tokens, d] to the same."""
        return self.frozen(h) + self.lora_gate(h) * F.linear(F.linear(h, self.a), self.b)


class GatedPrefix(nn.Module):
    """Keys and values [batch, length, d]."""

    def __init__(self, prefix: Prefix, gate: Gate) -> None:
        super().__init__()
        self.prefix, self.prefix_gate = prefix, gate

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        gate = self.prefix_gate(h)
        keys, values = self.prefix(h)
        return gate * keys, gate * values


class GatedAdapter(nn.Module):
    """y + G(y) A(y) on the MLP's output."""

    def __init__(self, inner: Bottleneck, gate: Gate) -> None:
        super().__init__()
        self.inner, self.adapter_gate = inner, gate

    def forward(self, y: Tensor) -> Tensor:
        return y + self.adapter_gate(y) * self.inner(y)
