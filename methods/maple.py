"""MaPLe: deep text prompts, coupled to image prompts by linear maps (Khattak et al. 2023).

At each of the first J blocks, with n text prompts P_i [n, d_text] and a map W_i [d_image, d_text]:

    text     [start, P_i, words]            replaced at every block up to J, as in `methods/vpt.py` deep
    image    [class, patches, P_i W_i^T + b_i]

At the first block text prompts stand among the word embeddings and get positions (words that no longer fit are cut, the
end token is kept), and image prompts pass CLIP's first LayerNorm. P starts from N(0, 0.02^2), W and b as torch draws a
linear; the released code can also start P_1 from the embedding of words. The start is no identity. A budget scales n
and J together, because nearly all parameters are in the J maps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.adaptation.method import Depth, layers, options
from harness.adaptation.starts import FAN_IN, Normal, Starts
from harness.model.clip import Backbone, Shape
from methods._tokens import Coupled, Own, Prompts, fits, place, scaled


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 2  # n
    towers: Literal["both"] = "both"
    depth: Depth = None  # J; None is the paper's 9 of 12, three quarters of the blocks that both towers have

    reference: ClassVar[str] = "https://arxiv.org/abs/2210.03117"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length", "depth")
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {"tokens": Normal(0.02), "map.weight": FAN_IN, "map.bias": FAN_IN}
    inserts: ClassVar[tuple[str, ...]] = ("image", "text")

    def attach(self, backbone: Backbone) -> None:
        fits(self.length, backbone.text)
        for order, (image, text) in enumerate(pairs(self._depth(backbone.shape), backbone.shape)):
            replaced = self.length if order else 0
            own = Own(backbone.text.position, self.length, backbone.text.shape.width)
            place(backbone.text, text, Prompts([own], True, replaced))
            place(backbone.image, image, Prompts([Coupled(own, backbone.image.shape.width)], False, replaced))

    def parameters(self, shape: Shape) -> int:
        text, image = shape.text.width, shape.image.width
        return len(pairs(self._depth(shape), shape)) * (self.length * text + text * image + image)

    def resized(self, shape: Shape, factor: float) -> Method:
        """Length and number of blocks scaled by one factor."""
        length = min(round(self.length * factor), self.limits(shape)["length"])
        return replace(self, length=max(1, length), depth=scaled(self._depth(shape), shared(shape), factor))

    def bases(self, shape: Shape) -> dict[str, int]:
        return {"depth": len(pairs(self._depth(shape), shape))}

    def limits(self, shape: Shape) -> dict[str, int]:
        """Half of the context remains for words; `depth` grows from the first block on only."""
        most = len(pairs(scaled(self._depth(shape), shared(shape), shared(shape)), shape))
        return {"length": shape.text.tokens // 2, "depth": most}

    def _depth(self, shape: Shape) -> Depth:
        return max(1, round(0.75 * shared(shape))) if self.depth is None else self.depth


def shared(shape: Shape) -> int:
    """Number of blocks that both towers have."""
    return min(tower.layers for tower in shape.towers)


def pairs(depth: Depth, shape: Shape) -> list[tuple[int, int]]:
    """Chosen blocks (image, text), counted in each tower, as many as both have."""
    return list(zip(*(sorted(set(layers(depth, tower.layers))) for tower in shape.towers), strict=False))
