"""CoOp: trained context vectors among the words of a caption (Zhou et al. 2022, one context for all captions).

    [start, v_1 .. v_l, words, end]        v [l, d] in the place of word embeddings, before positions are added

The caption moves back by l positions. The paper puts class names behind the context, here stand whole captions: words
that no longer fit into the context length are cut, and the end token, where the feature is read, takes the last place.
v starts from N(0, 0.02^2), the paper's default. The start is no identity.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.adaptation.method import options
from harness.adaptation.starts import Normal, Starts
from harness.model.clip import Backbone, Shape
from methods._tokens import Own, Prompts, fits, place


@options
class Method:
    length: Annotated[int, Field(ge=1)] = 16  # context vectors
    towers: Literal["text"] = "text"

    reference: ClassVar[str] = "https://arxiv.org/abs/2109.01134"
    identity: ClassVar[bool] = False
    turns: ClassVar[tuple[str, ...]] = ("length",)
    adds: ClassVar[bool] = True
    starts: ClassVar[Starts] = {"tokens": Normal(0.02)}
    whole: ClassVar[bool] = True  # one context for the tower
    inserts: ClassVar[tuple[str, ...]] = ("text",)

    def attach(self, backbone: Backbone) -> None:
        tower = backbone.text
        fits(self.length, tower)
        place(tower, 0, Prompts([Own(tower.position, self.length, tower.shape.width)], text=True))

    def parameters(self, shape: Shape) -> int:
        return self.length * shape.text.width

    def limits(self, shape: Shape) -> dict[str, int]:
        """Half of the context remains for words."""
        return {"length": shape.text.tokens // 2}
