"""DM-Adapter: a sparse mixture of adapters parallel to the MLP, with a domain-aware router (Liu et al. 2025).

    x = x + MLP(LN2(x)) + s sum_e g_e(h) A_e(h)        h = LN3(x), own LN3; s = 0.1 (image), 4 (text)
    z = (1 - a) W_x h + a W_p p                        trained router: W_x, W_p [E, d], domain prompt p [d], scalar a
    g = softmax over the k largest z, zero for the others
    A_e(h) = W_up relu(W_down h + b_down) + b_up       E adapters, d -> d / 8 -> d

The load-balance loss of a block, E sum_e f_e m_e with f_e the share of choices that fell on adapter e and m_e the mean
of softmax(z)_e, is 1 when both are uniform. The mean runs over the samples and their tokens, without the padding behind
a caption. The released code writes mean_e(c_e m_e) E with c_e = k f_e and weighs the sum over all blocks with 0.5; that
is `balance` k / E of the loss here. W_down starts Kaiming-uniform, W_up and biases from zero: the identity; W_x, W_p
from N(0, 0.02^2), p from N(0, 1), a from 0.5.

The released code also trains a projection from image to text width (`v2i_proj`, 393,728 of its 16,063,256 parameters
on ViT-B/16) that no output depends on. `coupled` adds it with a use: it carries the domain prompt of the image block to
the router of the text block, p_text + V p_image + c, and starts from zero.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from harness.adaptation.method import Depth, Towers, blocks, layers, options, scaled_width, towers
from harness.adaptation.starts import FAN_IN, ONE, ZERO, Constant, Normal, Starts
from harness.errors import UserError
from harness.model.clip import Backbone, Shape, TowerShape
from methods._mixture import Mixture, Router
from methods._tokens import share
from methods.adapter import count


@options
class Method:
    width: Annotated[int, Field(ge=1)] | None = None  # of a bottleneck in the wider tower, in proportion in the other
    reduction: Annotated[int, Field(ge=1)] = 8  # d / width in both towers, when `width` is not given
    experts: Annotated[int, Field(ge=1)] = 6  # E
    active: Annotated[int, Field(ge=1)] = 2  # k
    balance: Annotated[float, Field(ge=0)] = 0.5  # weight of the balance loss, as in the released code
    scale_image: Annotated[float, Field(gt=0)] = 0.1
    scale_text: Annotated[float, Field(gt=0)] = 4.0
    coupled: bool = False
    towers: Towers = "both"
    depth: Depth = None

    reference: ClassVar[str] = "https://arxiv.org/abs/2503.04144"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ("width",)
    adds: ClassVar[bool] = True
    late: ClassVar[dict[str, str]] = dict.fromkeys(("down.weight", "down.bias"), "W_up starts at zero")
    starts: ClassVar[Starts] = {
        **dict.fromkeys(("down.bias", "up.weight", "up_bias", "norm.bias", "link.weight", "link.bias"), ZERO),
        **{"down.weight": FAN_IN, "norm.weight": ONE},
        **{"router.token": Normal(0.02), "router.domain": Normal(0.02), "router.prompt": Normal(1.0)},
        "router.blend": Constant(0.5),
    }

    def __post_init__(self) -> None:
        if self.active > self.experts:
            raise UserError(f"{self.active} of {self.experts} adapters cannot be active", "dm_adapter.active")
        if self.coupled and self.towers != "both":
            raise UserError("'coupled' needs both towers", "dm_adapter.coupled")

    def attach(self, backbone: Backbone) -> None:
        routers: dict[str, list[Router]] = {"image": [], "text": []}
        for tower, block in blocks(backbone, self.towers, self.depth):
            like, d = tower.position, tower.shape.width
            router = Router(like, d, self.experts, self.active, share(tower), self.balance)
            routers[tower.name].append(router)
            width = self._width(tower.shape, backbone.shape)
            scale = self.scale_text if tower.causal else self.scale_image
            block.beside_mlp.append(Mixture(like, d, width, router, scale))
        if self.coupled:
            like = backbone.text.position
            widths = backbone.shape.image.width, backbone.shape.text.width
            link = nn.Linear(*widths, device=like.device, dtype=like.dtype)
            nn.init.zeros_(link.weight)
            nn.init.zeros_(link.bias)
            for image, text in zip(*routers.values(), strict=False):
                text.link, text.source = link, image.prompt

    def parameters(self, shape: Shape) -> int:
        image, text = (tower.width for tower in shape.towers)
        return self.coupled * (image * text + text) + sum(
            len(layers(self.depth, t.layers))
            * (self.experts * count(t.width, self._width(t, shape)) + (2 * self.experts + 3) * t.width + 1)
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
