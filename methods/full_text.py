"""Full fine-tuning of the text tower; the image tower stays frozen (LiT, locked-image tuning, Zhai et al. 2022)."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.adaptation.method import options
from methods import full


@options
class Method(full.Method):
    towers: Literal["text"] = "text"

    reference: ClassVar[str] = "https://arxiv.org/abs/2111.07991"
