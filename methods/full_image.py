"""Full fine-tuning of the image tower; the text tower stays frozen (the mirror of LiT, Zhai et al. 2022)."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.adaptation.method import options
from methods import full


@options
class Method(full.Method):
    towers: Literal["image"] = "image"

    reference: ClassVar[str] = "https://arxiv.org/abs/2111.07991"
