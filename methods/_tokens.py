"""Tokens that methods put into a tower's sequence, and the tokens of a batch that belong to captions.

Image prompts stand behind the patches, so that the class token stays first and the patches keep their places; without a
mask the order of tokens is irrelevant. Text prompts stand between the start token and the words, where the causal mask
lets every word see them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harness.adaptation.method import Depth, layers
from harness.errors import UserError
from harness.model.clip import Tower


class Own(nn.Module):
    """Trained tokens [length, width] from N(0, std^2)."""

    def __init__(self, like: Tensor, length: int, width: int, std: float = 0.02) -> None:
        super().__init__()
        self.tokens = nn.Parameter(nn.init.normal_(like.new_empty(length, width), std=std))

    def forward(self) -> Tensor:
        return self.tokens


class Coupled(nn.Module):
    """W t + b of the other tower's tokens t [length, other width]; the tokens stay the other tower's parameters."""

    def __init__(self, source: Own, width: int, std: float | None = None) -> None:
        super().__init__()
        like = source.tokens
        self.source, self.map = source, nn.Linear(like.shape[1], width, device=like.device, dtype=like.dtype)
        if std is not None:
            nn.init.normal_(self.map.weight, std=std)
            nn.init.zeros_(self.map.bias)

    def forward(self) -> Tensor:
        return self.map(self.source())


class Prompts(nn.Module):
    """Tokens for every sample, in the place of the `replaced` tokens that an earlier block got."""

    def __init__(self, parts: Sequence[nn.Module], text: bool, replaced: int = 0) -> None:
        super().__init__()
        self.parts, self.text, self.replaced = nn.ModuleList(parts), text, replaced

    def forward(self, x: Tensor) -> Tensor:
        """x [batch, tokens, width] to [batch, tokens - replaced + length, width]."""
        new = torch.cat([part() for part in self.parts]).to(x.dtype).expand(len(x), -1, -1)
        if self.text:
            return torch.cat([x[:, :1], new, x[:, 1 + self.replaced :]], dim=1)
        return torch.cat([x[:, : x.shape[1] - self.replaced], new], dim=1)


class Context(nn.Module):
    """Prompts among the embeddings of a caption, before positions are added.

    The sequence grows by the prompts; words that no longer fit are cut, and the end token takes the last place.
    """

    def __init__(self, prompts: Prompts, limit: int) -> None:
        super().__init__()
        self.prompts, self.limit = prompts, limit

    def forward(self, x: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [batch, tokens, width] and end [batch] to the longer ones, at most `limit` tokens."""
        grown = self.prompts(x)
        moved = end + grown.shape[1] - x.shape[1]
        if grown.shape[1] > self.limit:
            moved = moved.clamp(max=self.limit - 1)
            last = x[torch.arange(len(x), device=x.device), end][:, None]
            place = torch.arange(self.limit, device=x.device) == moved[:, None]
            grown = torch.where(place[..., None], last, grown[:, : self.limit])
        return grown, moved


class Captions(nn.Module):
    """Among a text tower's inputs: remembers where the captions of the batch end, counted from the last token."""

    def __init__(self) -> None:
        super().__init__()
        self.after: Tensor | None = None

    def forward(self, x: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        self.after = x.shape[1] - end
        return x, end


class Share(nn.Module):
    """Weights [batch, tokens] that sum to 1 over the tokens of each sample.

    All tokens of an image count; of a caption those up to its end token, because the padding behind it depends on the
    other captions of the batch. `captions` stands among the inputs of the text tower.
    """

    def __init__(self, captions: Captions | None) -> None:
        super().__init__()
        # in a list, so that it is no child: one module in two places would be in the state twice
        self.captions = [captions]

    def forward(self, x: Tensor) -> Tensor:
        """x [batch, tokens, width], anywhere in the tower."""
        batch, tokens, _ = x.shape
        (captions,) = self.captions
        dtype = torch.promote_types(x.dtype, torch.float32)
        if captions is None:
            return torch.full((batch, tokens), 1 / tokens, device=x.device, dtype=dtype)
        assert captions.after is not None  # inputs come before blocks
        count = (tokens - captions.after + 1)[:, None]
        return (torch.arange(tokens, device=x.device) < count).to(dtype) / count


def share(tower: Tower) -> Share:
    """A new `Share` for a tower."""
    if not tower.causal:
        return Share(None)
    captions = next((site for site in tower.inputs if isinstance(site, Captions)), None)
    if captions is None:
        captions = Captions()
        tower.inputs.append(captions)
    return Share(captions)


def place(tower: Tower, block: int, prompts: Prompts) -> None:
    """Put prompts at the input of a block; at the first block before positions (text) or the LayerNorm (image)."""
    if block > 0:
        tower.block(block).tokens.append(prompts)
    elif prompts.text:
        # before `Captions`, which must see where the end token comes to stand
        last = sum(not isinstance(site, Captions) for site in tower.inputs)
        tower.inputs.insert(last, Context(prompts, tower.shape.tokens))
    else:
        tower.inputs.append(prompts)


def fits(length: int, tower: Tower) -> None:
    """Refuse prompts that leave no room for a start token, a word and an end token."""
    if length > tower.shape.tokens - 3:
        raise UserError(
            f"{length} prompts do not fit into a context of {tower.shape.tokens} tokens",
            "length",
            f"at most {tower.shape.tokens - 3}",
        )


def scaled(depth: Depth, count: int, factor: float) -> Depth:
    """`depth` with its number of blocks (of `count`) multiplied by `factor`, at least 1.

    The first n blocks become more or fewer; a list, or the last n, is only cut.
    """
    chosen = layers(depth, count)
    wanted = min(max(1, round(len(chosen) * factor)), count)
    if depth is None and wanted == count:
        return None
    return wanted if chosen == tuple(range(len(chosen))) else chosen[:wanted]
