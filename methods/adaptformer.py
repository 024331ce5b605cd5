"""AdaptFormer: a scaled bottleneck parallel to the MLP (Chen et al. 2022).

    x = x + MLP(LN2(x)) + s A(x)        A(x) = W_up relu(W_down x + b_down) + b_up

W_down [w, d] and W_up [d, w] have the same w in both towers. A is fed by the residual stream x before the LayerNorm, as
in the released code (equation 4 of the paper puts a LayerNorm before it); s = 0.1 is fixed. W_down starts
Kaiming-uniform, everything else from zero: the identity.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, towers
from harness.adaptation.starts import Starts
from harness.model.clip import Backbone, Shape
from methods.adapter import BOTTLENECK, Bottleneck, count


@options
class Method:
    width: Annotated[int, Field(ge=1)] = 64  # of the bottleneck, in each tower
    scale: Annotated[float, Field(gt=0)] = 0.1
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2205.13535"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(("inner.down.weight", "inner.down.bias"), "W_up starts at zero")
    starts: ClassVar[Starts] = BOTTLENECK

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            block.beside_mlp.append(Parallel(Bottleneck(tower.position, tower.shape.width, self.width), self.scale))

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, tower.layers)) * count(tower.width, self.width)
            for tower in towers(shape, self.towers)
        )

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the narrower stream."""
        return {"width": min(tower.width for tower in towers(shape, self.towers))}


class Parallel(nn.Module):
    """s A(x) of the residual stream, added to a sub-layer's output."""

    def __init__(self, inner: Bottleneck, scale: float) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.inner(x, self.scale)
