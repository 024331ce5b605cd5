"""Masked words read from the picture: the cross-modal interaction of IRRA (Jiang & Ye, CVPR 2023).

With text tokens t [B, L, d] and image tokens v [B, N, d], both after the projection of their tower,

    x = CrossAttention(queries LN(t), keys and values LN(v))        no residual
    x = LN(Block_n(.. Block_1(x)))                                  blocks as CLIP's, without a mask
    scores = Linear(LN(QuickGELU(Linear(x))))                       of every word of the vocabulary, at masked places

The text is the whole context, as in the released code: its places after the end token take part in the attention.
d is the width of the embedding, and a head is 64 wide, or as near above it as divides d.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.model.clip import Backbone, Block, TextTower, Tower
from harness.model.parts.attention import attend
from harness.model.parts.mlp import QuickGELU

HEAD = 64  # width of an attention head


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence to another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Queries of x [B, L, d], keys and values of `other` [B, N, d]: [B, L, d]."""
        parts = (self.q(x), self.k(other), self.v(other))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.out(attend(q, k, v).transpose(1, 2).flatten(2))


class Interaction(nn.Module):
    """Text tokens that have seen the image.

    Args:
        width: d, of the embedding.
        layers: Blocks after the cross-attention; 4 in the paper.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        heads = heads_of(width)
        self.ln_text, self.ln_image, self.ln_last = (nn.LayerNorm(width) for _ in range(3))
        # Named as the released code's, whose learning rates go by names.
        self.cross_attn = CrossAttention(width, heads)
        self.cross_blocks = nn.ModuleList(Block(width, heads, 4 * width, quick_gelu=True) for _ in range(layers))

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Tokens [B, L, d] and [B, N, d] to [B, L, d]."""
        x = self.cross_attn(self.ln_text(text), self.ln_image(image))
        for block in self.cross_blocks:
            x = block(x, causal=False)
        return self.ln_last(x)


class Words(nn.Sequential):
    """Tokens [..., d] to scores [..., vocabulary]."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__(nn.Linear(width, width), QuickGELU(), nn.LayerNorm(width), nn.Linear(width, vocabulary))


def heads_of(width: int) -> int:
    """Heads of at least `HEAD` each that divide the width; one for a narrower embedding."""
    return next(heads for heads in range(max(1, width // HEAD), 0, -1) if width % heads == 0)


def parameters(width: int, vocabulary: int, layers: int) -> dict[str, int]:
    """Parameters of `Interaction` and `Words`, in closed form."""
    attention, block = 4 * width * (width + 1), 12 * width**2 + 13 * width
    words = width * (width + 1) + 2 * width + vocabulary * (width + 1)
    return {"interaction": attention + layers * block + 6 * width, "mlm_head": words}


def start(module: Interaction | Words, width: int, layers: int, random: torch.Generator) -> None:
    """The released first weights: normal, with deviation d^-1/2 for what attention reads, (2 d)^-1/2 for hidden layers
    and (2 layers d)^-1/2 for what is written back and for the scores of words.

    The biases of attention start at 0, the others as torch's.
    """
    hidden, written = (2 * width) ** -0.5, (2 * max(layers, 1) * width) ** -0.5
    deviations = {"q": width**-0.5, "k": width**-0.5, "v": width**-0.5, "fc1": hidden, "0": hidden}
    for name, part in module.named_modules():
        last = name.rsplit(".", 1)[-1]
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=deviations.get(last, written), generator=random)
            bound = 0.0 if last in ("q", "k", "v", "out") else part.in_features**-0.5
            nn.init.uniform_(part.bias, -bound, bound, generator=random)


def encode(
    backbone: Backbone, images: Tensor, ids: Tensor, masked: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of both towers, and all tokens of the image and of the masked captions.

    Args:
        backbone: With a method attached.
        images: float [B, 3, H, W].
        ids: int64 [B, l].
        masked: int64 [B, L], captions with masked words; None if those of `ids` are masked already.

    Returns:
        Features [B, d] of image and text as the towers give them; tokens [B, N, d] and [B, L, d] after the last
        LayerNorm and the projection, without what a method does to the feature afterwards. L is smaller than that of
        the ids where a method's prompts leave no room for the last words.
    """
    with _watched(backbone.image) as seen:
        image = backbone.image(images)
    places = _tokens(backbone.image, seen)
    if masked is None:
        with _watched(backbone.text) as seen:
            text = backbone.text(ids)
        return image, text, places, _words(backbone.text, seen, ids)
    with _watched(backbone.text) as seen:
        backbone.text(masked)
    words = _words(backbone.text, seen, masked)
    # Last, because a method's modules may remember their last pass for a loss of their own.
    return image, backbone.text(ids), places, words


def read(heads: Mapping[str, nn.Module], words: Tensor, places: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """Scores and labels of the masked words, for `losses.mlm`; others are not scored, their share of the loss is 0.

    Args:
        heads: With `interaction` and `mlm_head`.
        words: Text tokens [B, L, d].
        places: Image tokens [B, N, d].
        labels: int64 [masked, 3]: caption of the batch, place in it, and word of every masked word.

    Returns:
        `mlm_scores` float32 [masked, vocabulary] and `mlm_labels` int64 [masked], 0 (not counted) where the word's
        place is none of the L.
    """
    assert labels is not None  # where words are masked there are labels
    caption, place, word = labels.unbind(1)
    length = words.shape[1]
    mixed = heads["interaction"](words, places).flatten(0, 1)[caption * length + place.clamp(max=length - 1)]
    return {"mlm_scores": heads["mlm_head"](mixed).float(), "mlm_labels": torch.where(place < length, word, 0)}


@dataclass
class Seen:
    """The stream after the last block of a tower, and how many tokens came to the first."""

    stream: Tensor = field(init=False)
    came: int = 0


@contextmanager
def _watched(tower: Tower) -> Iterator[Seen]:
    """Keeps the stream after the last block; a watched block computes every token and not the read one alone."""
    seen = Seen()

    def first(_block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.came = inputs[0].shape[1]

    def last(_block: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        seen.stream = out

    handles = [tower.blocks[0].register_forward_pre_hook(first), tower.blocks[-1].register_forward_hook(last)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()  # before the backward pass, which may compute the blocks once more


def _tokens(tower: Tower, seen: Seen) -> Tensor:
    return tower.proj(tower.ln_final(seen.stream))


def _words(tower: TextTower, seen: Seen, ids: Tensor) -> Tensor:
    """Tokens at the places of `ids`; what a method puts between the start token and the words is left out."""
    put = seen.stream.shape[1] - seen.came + _moved(tower)
    return _tokens(tower, seen)[:, put : put + ids.shape[1]]


_known: WeakKeyDictionary[TextTower, tuple[tuple[nn.Module, ...], int]] = WeakKeyDictionary()


def _moved(tower: TextTower) -> int:
    """How far the modules in `inputs` move the words, found once: reading it makes the host wait for the device."""
    sites = tuple(tower.inputs)
    if tower not in _known or _known[tower][0] != sites:
        with torch.no_grad():  # an empty caption tells how far words are moved, whatever is cut from long ones
            device = tower.position.device
            x = tower.embedding(torch.zeros(1, 2, dtype=torch.int64, device=device))
            end = torch.ones(1, dtype=torch.int64, device=device)
            for site in sites:
                x, end = site(x, end)
            _known[tower] = sites, int(end) - 1
    return _known[tower][1]
