"""LN-tuning: only the scales and shifts of the LayerNorms are trained (Basu et al. 2023).

All LayerNorms of the chosen towers, those before and after the blocks included (65,536 trained parameters on ViT-B/16).
With `depth`, only the two inside each chosen block.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from harness.adaptation.method import Depth, Towers, layers, options, towers
from harness.model.clip import Backbone, Shape
from methods.bitfit import outside, whole_or_blocks


@options
class Method:
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2304.01917"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = False

    def attach(self, backbone: Backbone) -> None:
        for part in whole_or_blocks(backbone, self.towers, self.depth):
            for module in part.modules():
                if isinstance(module, nn.LayerNorm):
                    module.requires_grad_(True)

    def parameters(self, shape: Shape) -> int:
        inside = sum(len(layers(self.depth, t.layers)) * 2 * t.width for t in towers(shape, self.towers))
        return 2 * (inside + outside(shape, self.towers, self.depth))
