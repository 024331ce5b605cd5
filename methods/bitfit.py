"""BitFit: only biases are trained (Ben Zaken et al. 2022).

All biases of the chosen towers: of q, k, v, out, fc1, fc2 and of every LayerNorm, those outside the blocks included
(171,008 on ViT-B/16). With `depth`, only those inside the chosen blocks. The biases of the keys are counted as in the
paper, although the softmax ignores a bias on all keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.model.clip import Backbone, Shape


@options
class Method:
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2106.10199"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = False
    inert: ClassVar[dict[str, str]] = {"attn.k.bias": "the softmax ignores a bias on all keys"}

    def attach(self, backbone: Backbone) -> None:
        for part in whole_or_blocks(backbone, self.towers, self.depth):
            for name, parameter in part.named_parameters():
                if name.endswith("bias"):
                    parameter.requires_grad_(True)

    def parameters(self, shape: Shape) -> int:
        inside = sum(len(layers(self.depth, t.layers)) * (7 * t.width + t.mlp) for t in towers(shape, self.towers))
        return inside + outside(shape, self.towers, self.depth)


def whole_or_blocks(backbone: Backbone, which: Towers, depth: Depth) -> Iterator[nn.Module]:
    """The chosen towers whole or, with `depth`, only their chosen blocks."""
    if depth is None:
        yield from (tower for tower in backbone.towers if which in ("both", tower.name))
    else:
        yield from (block for _, block in blocks(backbone, which, depth))


def outside(shape: Shape, which: Towers, depth: Depth) -> int:
    """Units of the LayerNorms outside the blocks: before and after them for images, only after them for texts."""
    if depth is not None:
        return 0
    return sum(tower.width * (2 if tower.name == "image" else 1) for tower in towers(shape, which))
