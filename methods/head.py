"""Head: only the projections into the joint space are trained, CLIP's form of a linear probe (Radford et al. 2021).

    z = P LN(x)        P [embed, d], one per tower, no bias; x [batch, d] is the class or end-of-text token

Everything below is frozen, so features before P are constant: 655,360 trained parameters on ViT-B/16.
"""

from __future__ import annotations

from typing import ClassVar

from harness.adaptation.method import Towers, options, towers
from harness.model.clip import Backbone, Shape


@options
class Method:
    towers: Towers = "both"

    reference: ClassVar[str] = "https://arxiv.org/abs/2103.00020"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = False

    def attach(self, backbone: Backbone) -> None:
        for tower in backbone.towers:
            tower.proj.requires_grad_(self.towers in ("both", tower.name))

    def parameters(self, shape: Shape) -> int:
        return sum(tower.width * tower.embed for tower in towers(shape, self.towers))
