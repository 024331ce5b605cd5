"""L-Adapter: a bottleneck parallel to each LayerNorm (UP-Person, equation 17).

    h = LN(x) + s A(x)        A(x) = W_up relu(W_down x + b_down) + b_up

x is the residual stream before normalisation; s is one trained scalar per adapter that starts at 1. W_down starts
Kaiming-uniform, W_up and both biases from zero, so the start is the identity.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, scaled_width, towers
from harness.adaptation.starts import ONE, Starts
from harness.model.clip import Backbone, Shape, TowerShape
from methods.adapter import BOTTLENECK, Bottleneck, count


@options
class Method:
    width: Annotated[int, Field(ge=1)] | None = None  # of the bottleneck in the wider tower, in proportion in the other
    reduction: Annotated[int, Field(ge=1)] = 8  # d / width in both towers, when `width` is not given
    sites: Annotated[tuple[Literal["ln1", "ln2"], ...], Field(min_length=1)] = ("ln1", "ln2")
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2504.10084"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(
        ("inner.down.weight", "inner.down.bias", "scale"), "W_up starts at zero"
    )
    starts: ClassVar[Starts] = {**BOTTLENECK, "scale": ONE}

    def attach(self, backbone: Backbone) -> None:
        for tower, block in blocks(backbone, self.towers, self.depth):
            for site in self.sites:
                adapter = Adapter(tower.position, tower.shape.width, self._width(tower.shape, backbone.shape))
                getattr(block, f"beside_{site}").append(adapter)

    def parameters(self, shape: Shape) -> int:
        return sum(
            len(layers(self.depth, t.layers)) * len(self.sites) * (count(t.width, self._width(t, shape)) + 1)
            for t in towers(shape, self.towers)
        )

    def bases(self, shape: Shape) -> dict[str, int]:
        """The width that `reduction` gives in the wider tower."""
        return {"width": self.width or max(1, max(tower.width for tower in shape.towers) // self.reduction)}

    def limits(self, shape: Shape) -> dict[str, int]:
        """A bottleneck is no wider than the stream."""
        return {"width": max(tower.width for tower in towers(shape, self.towers))}

    def _width(self, tower: TowerShape, shape: Shape) -> int:
        if self.width is None:
            return max(1, tower.width // self.reduction)
        return scaled_width(self.width, tower, shape)


class Adapter(nn.Module):
    """s A(x), added to the output of a LayerNorm with the same input."""

    HALF: ClassVar[tuple[str, ...]] = ()  # s stays float32 there

    def __init__(self, like: Tensor, width: int, bottleneck: int) -> None:
        super().__init__()
        self.inner = Bottleneck(like, width, bottleneck)
        self.scale = nn.Parameter(like.new_ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, self.scale)
