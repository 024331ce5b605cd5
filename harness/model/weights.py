"""Weights for the towers; with `harness.model.open_clip_files` the only file that knows open_clip.

Weights come from open_clip (any plain ViT CLIP), from a checkpoint in open_clip's or OpenAI's naming, from a folder in
open_clip's `local-dir` layout, or from CLIP's random initialisation. Folders and files are read without importing
open_clip, which takes seconds. A trial fetches nothing; `python -m harness.model.weights ViT-B-16 openai` does.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.errors import EnvironmentFault, UserError, nearest
from harness.model import exported, open_clip_files, weight_files
from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.source import CONFIG, Source, folder_of, from_json, shipped
from harness.model.state_dict import from_state, random

FILE = "open_clip_model.safetensors"  # of a folder in open_clip's layout
OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def frozen(source: Source) -> Source | None:
    """The backbone that the method in an exported folder was trained on; None for any other source."""
    said = None if source.pretrained else exported.about(folder_of(source.name))
    if said is None or "backbone" not in said:
        return None
    own = from_json(said["backbone"])
    return replace(own, image=source.image or own.image)


@functools.lru_cache(maxsize=16)
def _config(source: Source) -> dict[str, Any]:
    """open_clip's model configuration, with `preprocess` beside it for folders."""
    folder = folder_of(source.name)
    if folder:
        whole = json.loads((folder / CONFIG).read_text())
        config = {**whole["model_cfg"], "preprocess": whole.get("preprocess_cfg", {})}
    else:
        found = open_clip_files.config(source.name)
        if found is None:
            known = [*shipped(), *open_clip_files.models()]
            raise UserError(f"unknown backbone '{source.name}'", nearest=nearest(source.name, known))
        config = found
        if source.pretrained and not Path(source.pretrained).exists():
            tag = _tag(source)
            if not tag:
                import open_clip

                tags = open_clip.list_pretrained_tags_by_model(source.name)
                raise UserError(
                    f"backbone {source.name} has no weights '{source.pretrained}'",
                    expected=f"a file or one of {', '.join(tags)}",
                    nearest=nearest(source.pretrained, tags),
                )
            config = {**config, "quick_gelu": config.get("quick_gelu", False) or tag.get("quick_gelu", False)}
            config["preprocess"] = {k: tag[k] for k in ("mean", "std") if tag.get(k)}
    _refuse(source.name, config)
    return config


def _refuse(name: str, config: Mapping[str, Any]) -> None:
    """Only plain ViT towers with a class token and an end-of-text token are served."""
    plain = {
        "vision_cfg": {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size"},
        "text_cfg": {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"},
    }
    for part, keys in plain.items():
        odd = sorted(k for k, v in config[part].items() if k not in keys and v)
        if odd or not isinstance(config[part].get("layers", 12), int):
            raise UserError(
                f"backbone {name} is no plain ViT CLIP", f"{part}.{(odd or ['layers'])[0]}", "a ViT of open_clip"
            )


@functools.lru_cache(maxsize=16)
def shape(source: Source) -> Shape:
    """Sizes of a backbone, without its weights."""
    config = _config(source)
    vision, text, embed = config["vision_cfg"], config["text_cfg"], config["embed_dim"]
    patch = vision["patch_size"]
    height, width = source.image or _pair(vision["image_size"])
    if height % patch or width % patch:
        raise UserError(
            f"image size {height}x{width} is no multiple of the patch of {source.name}",
            "backbone.image",
            f"multiples of {patch}",
            f"{round(height / patch) * patch}x{round(width / patch) * patch}",
        )
    grid = (height // patch, width // patch)
    quick = _quick(source, config)
    head, width = vision.get("head_width", 64), vision["width"]
    inner = int(width * vision.get("mlp_ratio", 4.0))
    tokens, vocabulary = text.get("context_length", 77), text.get("vocab_size", 49408)
    return Shape(
        TowerShape("image", width, vision["layers"], width // head, inner, 1 + grid[0] * grid[1], embed, grid, patch),
        TowerShape(
            *("text", text["width"], text["layers"], text["heads"], int(text["width"] * text.get("mlp_ratio", 4.0))),
            *(tokens, embed),
            vocabulary=vocabulary,
        ),
        quick_gelu=quick,
    )


def _quick(source: Source, config: Mapping) -> bool:
    """Whether the activation is QuickGELU.

    Raises:
        UserError: a file of weights from which it cannot be known.
    """
    if source.activation != "auto":
        return source.activation == "quick_gelu"
    file = Path(source.pretrained) if source.pretrained else None
    if config.get("quick_gelu") or file is None or not file.exists():
        return bool(config.get("quick_gelu"))
    told = weight_files.form(file).quick_gelu
    if told is not None or folder_of(source.name):  # whose configuration tells
        return bool(told)
    raise UserError(
        f"{file} does not tell its activation",
        "backbone.activation",
        "quick_gelu (OpenAI's weights and what was trained from them, as IRRA's) or gelu (most of open_clip's own)",
    )


def pixels(source: Source) -> dict[str, tuple]:
    """Image size (height, width) and the channel means and standard deviations that the backbone expects."""
    config = _config(source)
    return {
        "size": tuple(source.image or _pair(config["vision_cfg"]["image_size"])),
        "mean": tuple(config.get("preprocess", {}).get("mean", OPENAI_MEAN)),
        "std": tuple(config.get("preprocess", {}).get("std", OPENAI_STD)),
    }


def load(source: Source, seed: int = 0) -> Backbone:
    """A frozen backbone with the weights of `source`; `seed` acts on random initialisation only."""
    if (own := frozen(source)) is not None:
        said = exported.about(folder_of(source.name)) or {}
        if said.get("hash") != identity(own):
            raise EnvironmentFault(
                f"the weights of {own.pretrained or own.name} are not those that {source.name} was trained on",
                "backbone.name",
                f"weights with the hash {said.get('hash')}",
            )
        return load(own, seed)
    sizes = shape(source)
    path = _file(source)
    if path is None:
        if fault := lacking(source):
            raise fault
        return random(sizes, seed)
    weights = weight_files.form(path).state
    return from_state(sizes, weights, _grid(source, sizes, weights), source.resize)


def _grid(source: Source, sizes: Shape, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """Rows and columns of patches that the position table in `weights` was trained at, read off its length.

    Raises:
        UserError: a length that tells no grid, or another one than was said.
    """
    patch, count = sizes.image.patch, len(weights.get("visual.positional_embedding", ())) - 1
    own = _pair(_config(source)["vision_cfg"]["image_size"])
    if source.trained_at:
        grid = (source.trained_at[0] // patch, source.trained_at[1] // patch)
        if math.prod(grid) != count:
            raise UserError(f"the position table has {count} patches", "backbone.trained_at", f"{grid[0]}x{grid[1]}")
        return grid
    usual = [(own[0] // patch, own[1] // patch), sizes.image.grid]
    usual += [(round((count * k) ** 0.5), round((count / k) ** 0.5)) for k in (1, 3, 2)]  # square, 384x128, 256x128
    found = next((grid for grid in usual if math.prod(grid) == count), None)
    if found is None and count >= 0:
        raise UserError(
            f"the position table has {count} patches, which is no usual image",
            "backbone.pretrained",
            "backbone.trained_at: [height, width] in pixels",
        )
    return found or sizes.image.grid


def lacking(source: Source) -> EnvironmentFault | None:
    """What to say when the weights of `source` are not on this machine; None when they are, or when none are needed."""
    if (own := frozen(source)) is not None:
        return lacking(own)
    if _file(source) is not None:
        return None
    if not source.pretrained:
        folder = folder_of(source.name)
        return EnvironmentFault(f"weights are missing: {folder / FILE}", "backbone.name") if folder else None
    place = weight_files.by_hand(_tag(source))
    return EnvironmentFault(
        f"weights {source.pretrained} of {source.name} are not on this machine",
        "backbone.pretrained",
        f"python -m harness.model.weights {source.name} {source.pretrained} once with a network"
        + (f", or the published file at {place}" if place else "")
        + ", or --set backbone.pretrained=FILE",
    )


def fetch(source: Source) -> Path:
    """Bring the weights of open_clip's tag to this machine, where they are not there yet.

    Raises:
        EnvironmentFault: they cannot be fetched.
    """
    _config(source)  # refuses unknown names and tags
    if found := _file(source):
        return found
    if (fault := lacking(source)) is None:
        raise UserError(f"backbone {source.name} starts at random", "pretrained", "a tag of open_clip")
    from open_clip.pretrained import download_pretrained

    try:
        return Path(download_pretrained(_tag(source)))
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise EnvironmentFault(
            f"{fault.what} and could not be fetched ({said})", fault.where, fault.expected
        ) from error


def _file(source: Source) -> Path | None:
    """The file that holds the weights of `source`, if there is one here."""
    if source.pretrained:
        path = Path(source.pretrained)
        return path if path.exists() else weight_files.find(_tag(source))
    folder = folder_of(source.name)
    return (
        next((folder / name for name in (FILE, exported.MERGED) if (folder / name).is_file()), None) if folder else None
    )


@functools.lru_cache(maxsize=16)
def _tag(source: Source) -> Mapping[str, str]:
    """What open_clip knows of a tag; empty for one it does not know."""
    import open_clip

    return open_clip.get_pretrained_cfg(source.name, source.pretrained) or {}


def identity(source: Source) -> str:
    """What tells two backbones apart without loading them: the hash of the file, the tag, or the random start.

    A tag names published weights, so it stands for them whether they are on this machine or not, and wherever they lie.
    """
    folder = None if source.pretrained else folder_of(source.name)
    if folder is not None and exported.about(folder):
        own = frozen(source)
        return hashlib.sha256(f"{exported.digest(folder)}{identity(own) if own else ''}".encode()).hexdigest()[:16]
    path = Path(source.pretrained) if source.pretrained else _file(source)
    if path is not None and path.exists():
        return weight_files.digest(path)[:16]
    return f"{source.name}/{source.pretrained or 'random'}"


def _pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


if __name__ == "__main__":
    try:
        print(fetch(Source(sys.argv[1], sys.argv[2])))
    except (UserError, IndexError) as error:
        sys.exit(f"upbench: error: {error}")
