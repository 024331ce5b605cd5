"""CSKT: prompts that each tower shares with the other, and an adapter parallel to the MLP (Liu et al. 2024).

At block i, with n prompts T_i [n, d_text] and V_i [n, d_image], and maps W_i [d_image, d_text], U_i [d_text, d_image]:

    image    [class, patches, W_i T_i, V_i]        2 n prompts, replaced at every block
    text     [start, T_i, U_i V_i, words]          2 n prompts, replaced at every block
    x = x + MLP(LN2(x)) + s A(LN3(x))              A(h) = W_up relu(W_down h), own LN3; s = 0.1 (image), 4 (text)

All maps have biases. As in `methods/maple.py`, the first prompts of the text get positions (words that no longer fit
are cut, the end token is kept) and those of the image pass CLIP's first LayerNorm. All weights start from N(0, 0.02^2),
all biases from zero, as in the released code, except that T_1 starts there from the embedding of "a photo of a". The
start is no identity. Towers of unequal depth are coupled as far as both have blocks. A budget scales prompts,
bottleneck and depth together, because most parameters are in the maps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from harness.adaptation.method import Depth, blocks, layers, options, scaled_width
from harness.adaptation.starts import ONE, ZERO, Normal, Starts
from harness.model.clip import Backbone, Shape, TowerShape
from methods._tokens import Coupled, Own, Prompts, fits, place, scaled
from methods.adapter import Bottleneck, count
from methods.maple import pairs, shared

STD = 0.02


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 4  # n, of each kind
    width: Annotated[int, Field(ge=1)] | None = None  # of the bottleneck in the wider tower, in proportion in the other
    reduction: Annotated[int, Field(ge=1)] = 8  # d / width in both towers, when `width` is not given
    scale_image: Annotated[float, Field(gt=0)] = 0.1
    scale_text: Annotated[float, Field(gt=0)] = 4.0
    towers: Literal["both"] = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2309.09496"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length", "width", "depth")
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {
        **dict.fromkeys(("tokens", "map.weight", "inner.down.weight", "inner.up.weight"), Normal(0.02)),
        **dict.fromkeys(("map.bias", "inner.down.bias", "inner.up.bias", "norm.bias"), ZERO),
        "norm.weight": ONE,
    }
    inserts: ClassVar[tuple[str, ...]] = ("image", "text")

    def attach(self, backbone: Backbone) -> None:
        fits(2 * self.length, backbone.text)
        image, text = backbone.towers
        for order, (at_image, at_text) in enumerate(pairs(self.depth, backbone.shape)):
            replaced = 2 * self.length if order else 0
            visual = Own(image.position, self.length, image.shape.width, STD)
            textual = Own(text.position, self.length, text.shape.width, STD)
            place(image, at_image, Prompts([Coupled(textual, image.shape.width, STD), visual], False, replaced))
            place(text, at_text, Prompts([textual, Coupled(visual, text.shape.width, STD)], True, replaced))
        for tower, block in blocks(backbone, "both", self.depth):
            scale = self.scale_text if tower.causal else self.scale_image
            width = self._width(tower.shape, backbone.shape)
            block.beside_mlp.append(Normed(tower.position, tower.shape.width, width, scale))

    def parameters(self, shape: Shape) -> int:
        text, image = shape.text.width, shape.image.width
        coupled = self.length * (text + image) + 2 * text * image + text + image
        return len(pairs(self.depth, shape)) * coupled + sum(
            len(layers(self.depth, t.layers)) * (count(t.width, self._width(t, shape)) + 2 * t.width)
            for t in shape.towers
        )

    def resized(self, shape: Shape, factor: float) -> Method:
        """Length, width and number of blocks scaled by one factor."""
        bases, limits = self.bases(shape), self.limits(shape)
        sizes = {"length": self.length, "width": bases["width"]}
        sizes = {name: max(1, min(round(base * factor), limits[name])) for name, base in sizes.items()}
        depth = scaled(self.depth, shared(shape), factor)
        return replace(self, length=sizes["length"], width=sizes["width"], depth=depth)

    def bases(self, shape: Shape) -> dict[str, int]:
        """The width that `reduction` gives in the wider tower, and the number of coupled blocks."""
        width = self.width or max(1, max(tower.width for tower in shape.towers) // self.reduction)
        return {"width": width, "depth": len(pairs(self.depth, shape))}

    def limits(self, shape: Shape) -> dict[str, int]:
        """Half of the context remains for words; `depth` grows from the first block on only."""
        most = len(pairs(scaled(self.depth, shared(shape), shared(shape)), shape))
        widest = max(tower.width for tower in shape.towers)
        return {"length": shape.text.tokens // 4, "width": widest, "depth": most}

    def _width(self, tower: TowerShape, shape: Shape) -> int:
        if self.width is None:
            return max(1, tower.width // self.reduction)
        return scaled_width(self.width, tower, shape)


class Normed(nn.Module):
    """s A(LN3(x)) of the residual stream, added to the MLP's output."""

    def __init__(self, like: Tensor, width: int, bottleneck: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.norm = nn.LayerNorm(width, device=like.device, dtype=like.dtype)
        self.inner = Bottleneck(like, width, bottleneck)
        for linear in (self.inner.down, self.inner.up):
            nn.init.normal_(linear.weight, std=STD)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.inner(self.norm(x), self.scale)
