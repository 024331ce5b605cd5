"""The backbone as it is: nothing is trained."""

from __future__ import annotations

from typing import ClassVar

from harness.adaptation.method import options
from harness.model.clip import Backbone, Shape


@options
class Method:
    reference: ClassVar[str] = "https://arxiv.org/abs/2103.00020"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = False

    def attach(self, backbone: Backbone) -> None:
        """Nothing to do."""

    def parameters(self, shape: Shape) -> int:
        return 0
