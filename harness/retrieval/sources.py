"""What a user names as a model: a shipped backbone, a folder, or a file whose sizes tell its name in open_clip."""

from __future__ import annotations

import math
from pathlib import Path

from harness.errors import UserError
from harness.model import open_clip_files, weight_files
from harness.model.source import SHIPPED, Source, folder_of, shipped
from harness.model.state_dict import blocks, ratio


def source_of(what: str | Path, activation: str = "auto") -> Source:
    """A source for weights that are used as they are, at the image size that they were trained at.

    Args:
        what: A shipped backbone's name, a folder that `upbench export` or open_clip wrote, a Hugging Face folder, or
            a file in one of the forms of `forms.py`.
        activation: As in a study's `backbone`.

    Raises:
        UserError: no such file or folder, or sizes of no model of open_clip.
    """
    if folder := folder_of(str(what)):
        return Source(str(what) if (SHIPPED / str(what)).is_dir() else str(folder), activation=activation)
    path = Path(what)
    if not path.exists():
        known = ", ".join(shipped())
        raise UserError(f"no model '{what}'", expected=f"a file or folder of weights, a trial's id, or one of {known}")
    state = weight_files.form(path).state
    try:
        patch, positions = state["visual.conv1.weight"].shape[-1], len(state["visual.positional_embedding"]) - 1
        sizes = {
            "embed_dim": state["text_projection"].shape[1],
            "vision_cfg.width": state["visual.conv1.weight"].shape[0],
            "vision_cfg.patch_size": patch,
            "vision_cfg.layers": blocks(state, "visual.transformer."),
            "text_cfg.width": state["token_embedding.weight"].shape[1],
            "text_cfg.layers": blocks(state, "transformer."),
            "text_cfg.vocab_size": state["token_embedding.weight"].shape[0],
            "text_cfg.context_length": len(state["positional_embedding"]),
        }
    except KeyError as missing:
        raise UserError(f"{path} holds no two towers of a CLIP: {missing} is missing") from None
    names = [name for name in open_clip_files.models() if _fits(name, sizes)]
    if not names:
        said = ", ".join(f"{key} {value}" for key, value in sizes.items())
        raise UserError(f"{path} is no model that open_clip knows: {said}", expected="a folder with its configuration")
    return Source(min(names, key=len), str(path), _image(positions, patch), activation=activation)


def _fits(name: str, sizes: dict[str, int]) -> bool:
    config = open_clip_files.config(name) or {}
    usual = {"vision_cfg.patch_size": None, "text_cfg.vocab_size": 49408, "text_cfg.context_length": 77}
    for key, value in sizes.items():
        part, _, last = key.rpartition(".")
        if (config.get(part, {}) if part else config).get(last, usual.get(key)) != value:
            return False
    return True


def _image(positions: int, patch: int) -> tuple[int, int] | None:
    """The image of a table of that many patches: square, 384x128 or 256x128; None where it is none of them."""
    if (over := ratio(positions)) is None:
        return None
    columns = math.isqrt(positions // over)
    return over * columns * patch, columns * patch
