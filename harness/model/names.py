"""Names of CLIP's parameters: ours, and open_clip's, which are OpenAI's.

open_clip joins the query, key and value projections in one matrix and stores projections transposed; everything else
only has another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

# open_clip's name -> ours, of a part in a block and of a part of a tower.
BLOCK = {"ln_1": "ln1", "ln_2": "ln2", "attn.out_proj": "attn.out", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
TOWER = {
    "image": {
        "conv1.weight": "conv.weight",
        "class_embedding": "class_token",
        "positional_embedding": "position",
        "ln_pre": "ln_first",
        "ln_post": "ln_final",
        "proj": "proj.weight",
    },
    "text": {
        "token_embedding.weight": "embedding.weight",
        "positional_embedding": "position",
        "ln_final": "ln_final",
        "text_projection": "proj.weight",
    },
}
RESBLOCKS = "transformer.resblocks."


def ours(key: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One entry of open_clip's state dict under our names; nothing for entries that are no parameters of a tower."""
    tower = "image" if key.startswith("visual.") else "text"
    key = key.removeprefix("visual.").removeprefix("text.")
    if key.startswith(RESBLOCKS):
        index, part = key.removeprefix(RESBLOCKS).split(".", 1)
        start = f"{tower}.blocks.{index}"
        if part.startswith("attn.in_proj_"):
            for name, third in zip("qkv", value.chunk(3), strict=True):
                yield f"{start}.attn.{name}.{part.removeprefix('attn.in_proj_')}", third.contiguous()
        elif renamed := _renamed(part, BLOCK):
            yield f"{start}.{renamed}", value
    elif renamed := _renamed(key, TOWER[tower]):
        yield f"{tower}.{renamed}", value.T.contiguous() if renamed == "proj.weight" else value


def theirs(state: Mapping[str, Tensor], logit_scale: float) -> dict[str, Tensor]:
    """A backbone's state dict in open_clip's names, with the logit scale that the towers do not have."""
    found = {"logit_scale": torch.tensor(logit_scale)}
    for key, value in state.items():
        tower, part = key.split(".", 1)
        start = "visual." if tower == "image" else ""
        if not part.startswith("blocks."):
            name = _renamed(part, {own: other for other, own in TOWER[tower].items()})
            assert name is not None, f"{key} is no parameter of a tower"
            found[start + name] = value.T if part == "proj.weight" else value
            continue
        _, index, part = part.split(".", 2)
        if part.startswith("attn.") and part[5] in "qkv":
            kind = part.rsplit(".", 1)[1]
            thirds = [state[f"{tower}.blocks.{index}.attn.{name}.{kind}"] for name in "qkv"]
            found[f"{start}{RESBLOCKS}{index}.attn.in_proj_{kind}"] = torch.cat(thirds)
        else:
            found[f"{start}{RESBLOCKS}{index}.{_renamed(part, {own: o for o, own in BLOCK.items()})}"] = value
    return {key: value.contiguous() for key, value in found.items()}


def _renamed(key: str, names: Mapping[str, str]) -> str | None:
    """`key` with its beginning replaced, or None when no name fits."""
    for old, new in names.items():
        if key == old or key.startswith(old + "."):
            return new + key[len(old) :]
    return None
