"""CLIP's two towers as lists of blocks of our own, with named sites for methods.

`harness.model.weights` fills them with open_clip's weights; the outputs equal open_clip's (a test says so).

A block of width d computes, for a residual stream x [batch, tokens, d] (Radford et al. 2021, pre-norm transformer):

    h = LN1(x) + sum beside_ln1(x)
    x = past_attn(x + after_attn(Attention(h)) + sum beside_attn(x, h))
    h = LN2(x) + sum beside_ln2(x)
    x = past_mlp(x + after_mlp(MLP(h)) + sum beside_mlp(x, h))

The sites `beside_*`, `after_*` and `past_*` are empty lists of modules until a method appends to them; `tokens` sees
the stream before the block, `attn.prefix` gives extra keys and values, and the linears `attn.q k v out`, `mlp.fc1 fc2`
may be replaced by modules that wrap them. A tower's `inputs` act on its embedded tokens, its `head` on the features.
One token of the last block is read: from its queries on the others are left out, if `Block.token_wise` allows it.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.model.parts.attention import Attention, row
from harness.model.parts.mlp import Mlp
from harness.model.parts.token_wise import token_wise


@dataclass(frozen=True)
class TowerShape:
    """Sizes of one tower, enough to count the parameters of any method."""

    name: Literal["image", "text"]
    width: int
    layers: int
    heads: int
    mlp: int
    tokens: int  # longest sequence: patches + 1, or the context length
    embed: int
    grid: tuple[int, int] = (0, 0)  # patches of an image, rows and columns
    patch: int = 0  # side in pixels
    vocabulary: int = 0  # of text


@dataclass(frozen=True)
class Shape:
    """Sizes of both towers; `parameters` counts the backbone without the logit scale."""

    image: TowerShape
    text: TowerShape
    quick_gelu: bool = False

    @property
    def towers(self) -> tuple[TowerShape, TowerShape]:
        return self.image, self.text

    @functools.cached_property
    def parameters(self) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in Backbone(self).parameters())


class Block(nn.Module):
    """One transformer block; the module docstring has its equations and sites."""

    AFTER = ("beside_ln2", "beside_attn", "beside_mlp", "after_attn", "after_mlp", "past_attn", "past_mlp")
    SITES = ("tokens", "beside_ln1", *AFTER)

    def __init__(self, width: int, heads: int, mlp: int, quick_gelu: bool) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, mlp, quick_gelu)
        self.tokens, self.beside_ln1, self.beside_ln2, self.beside_attn = (nn.ModuleList() for _ in range(4))
        self.beside_mlp, self.after_attn, self.after_mlp = (nn.ModuleList() for _ in range(3))
        self.past_attn, self.past_mlp = nn.ModuleList(), nn.ModuleList()
        self._seen: tuple[tuple[nn.Module, ...], bool] = (), False

    def forward(self, x: Tensor, causal: bool, at: int | Tensor | None = None) -> Tensor:
        """Stream [batch, tokens, d] to the same, or to [batch, 1, d] for the token at a place."""
        for site in self.tokens:
            x = site(x)
        h = self.ln1(x)
        for site in self.beside_ln1:
            h = h + site(x)
        out = self.attn(h, causal, at)
        x, h = row(x, at), row(h, at)
        for site in self.after_attn:
            out = site(out)
        for site in self.beside_attn:
            out = out + site(x, h)
        x = x + out
        for site in self.past_attn:
            x = site(x)
        h = self.ln2(x)
        for site in self.beside_ln2:
            h = h + site(x)
        out = self.mlp(h)
        for site in self.after_mlp:
            out = site(out)
        for site in self.beside_mlp:
            out = out + site(x, h)
        x = x + out
        for site in self.past_mlp:
            x = site(x)
        return x

    def token_wise(self) -> bool:
        """Whether everything from the queries on treats each token by itself, and no hook watches the others."""
        modules = tuple(self.modules())
        if any(m._forward_hooks or m._forward_pre_hooks for m in modules):
            return False
        if len(self._seen[0]) != len(modules) or any(map(operator.is_not, self._seen[0], modules)):
            parts = [self.attn.q, self.attn.out, self.ln2, self.mlp, *(m for n in self.AFTER for m in getattr(self, n))]
            self._seen = modules, type(self.attn) is Attention and all(map(token_wise, parts))
        return self._seen[1]


class Tower(nn.Module):
    """What both towers share: blocks, the last LayerNorm, the projection, optional activation checkpointing."""

    causal: bool
    position: nn.Parameter

    def __init__(self, shape: TowerShape, quick_gelu: bool) -> None:
        super().__init__()
        self.shape, self.name = shape, shape.name
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads, shape.mlp, quick_gelu) for _ in range(shape.layers))
        self.ln_final = nn.LayerNorm(shape.width)
        self.proj = nn.Linear(shape.width, shape.embed, bias=False)
        self.inputs = nn.ModuleList()
        self.head = nn.ModuleList()
        self.checkpointing = False

    def block(self, index: int) -> Block:
        return cast(Block, self.blocks[index])

    def run(self, x: Tensor, at: int | Tensor | None) -> Tensor:
        """Residual stream [batch, tokens, width] through all blocks; the token [batch, width] at a place."""
        for block in self.blocks:
            place = at if block is self.blocks[-1] and self.block(-1).token_wise() else None
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, self.causal, place, use_reentrant=False)
            else:
                x = block(x, self.causal, place)
        return (x if x.shape[1] == 1 else row(x, at))[:, 0]

    def pool(self, x: Tensor) -> Tensor:
        """Pooled tokens [batch, width] to features [batch, embed]."""
        x = self.proj(self.ln_final(x))
        for site in self.head:
            x = site(x)
        return x


class ImageTower(Tower):
    """Vision transformer; the feature is read at the class token.

    Modules in `inputs` map the embedded tokens [batch, 1 + patches, width] before the first LayerNorm.
    """

    causal = False

    def __init__(self, shape: TowerShape, quick_gelu: bool) -> None:
        super().__init__(shape, quick_gelu)
        self.conv = nn.Conv2d(3, shape.width, shape.patch, shape.patch, bias=False)
        self.class_token = nn.Parameter(torch.empty(shape.width))
        self.position = nn.Parameter(torch.empty(shape.tokens, shape.width))
        self.ln_first = nn.LayerNorm(shape.width)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images [batch, 3, height, width] to features [batch, embed]."""
        x = self.conv(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.to(x.dtype).expand(len(x), 1, -1), x], dim=1) + self.position.to(x.dtype)
        for site in self.inputs:
            x = site(x)
        return self.pool(self.run(self.ln_first(x), 0))


class TextTower(Tower):
    """Causal transformer; the feature is read at the end-of-text token, the largest id of a caption.

    Later tokens never reach an earlier one, so cutting a batch to its longest caption is exact. Modules in `inputs`
    map (embeddings [batch, tokens, width], end [batch]) to the same pair before positions are added. Blocks may insert
    tokens before the words: the feature is read at a fixed distance from the last token.
    """

    causal = True

    def __init__(self, shape: TowerShape, quick_gelu: bool) -> None:
        super().__init__(shape, quick_gelu)
        self.embedding = nn.Embedding.from_pretrained(torch.empty(shape.vocabulary, shape.width), freeze=False)
        self.position = nn.Parameter(torch.empty(shape.tokens, shape.width))

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids [batch, tokens <= context] to features [batch, embed]."""
        x, end = self.embedding(ids), ids.argmax(dim=1)
        for site in self.inputs:
            x, end = site(x, end)
        tokens = x.shape[1]
        return self.pool(self.run(x + self.position[:tokens], end - tokens))


class Backbone(nn.Module):
    """Both towers. Features are not normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.image = ImageTower(shape.image, shape.quick_gelu)
        self.text = TextTower(shape.text, shape.quick_gelu)

    @property
    def towers(self) -> tuple[ImageTower, TextTower]:
        return self.image, self.text

    def checkpointing(self, on: bool = True) -> None:
        """Recompute each block's activations in the backward pass."""
        for tower in self.towers:
            tower.checkpointing = on
