"""Hugging Face's folder of a `CLIPModel`: configuration, weights, image processor, and CLIP's tokenizer.

    CLIPModel.from_pretrained("FOLDER"), CLIPProcessor.from_pretrained("FOLDER")

Its images are square; a model at 384x128 has another form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from harness.errors import UserError
from harness.export.model import Model, pixels, plain, state, vocabulary
from harness.model import tokenizer
from harness.model.clip import Shape, TowerShape
from harness.model.forms import BLOCK, TOWER

BLOCKS = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")
BILINEAR = 2  # Pillow's number


def write(model: Model, folder: Path) -> None:
    """Write the model, merged.

    Raises:
        UserError: images that are not square, or a part of the method that does not fold into the weights.
    """
    square(model, "huggingface")
    save_file(dict(names(state(model, plain(model, "huggingface")))), folder / "model.safetensors", {"format": "pt"})
    about = [("config.json", _config(model)), ("preprocessor_config.json", _images(model))]
    if vocabulary(model) is None and model.backbone.shape.text.vocabulary == tokenizer.END + 1:
        vocabulary_, merges = tokenizer.files()
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
        about += [("vocab.json", vocabulary_), ("tokenizer_config.json", _words(model))]
    for name, value in about:
        (folder / name).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def square(model: Model, form: str) -> None:
    """Refuse images that `CLIPModel` has no position table for."""
    rows, columns = model.backbone.shape.image.grid
    if rows != columns:
        height, width = pixels(model)["size"]
        raise UserError(
            f"{form} has no place for images of {height}x{width}: a CLIPModel's are square",
            "--as",
            "--as open_clip or --as upbench",
        )


def names(open_clip: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """`CLIPModel`'s names for open_clip's, the reverse of `harness.model.forms`."""
    parts, towers = {new: old for old, new in BLOCK.items()}, {new: old for old, new in TOWER.items()}
    for name, value in open_clip.items():
        if match := BLOCKS.fullmatch(name):
            visual, index, part = match.groups()
            start = f"{'vision' if visual else 'text'}_model.encoder.layers.{index}."
            if part.startswith("attn.in_proj_"):
                kind = part.removeprefix("attn.in_proj_")
                for letter, third in zip("qkv", value.chunk(3), strict=True):
                    yield f"{start}self_attn.{letter}_proj.{kind}", third.contiguous()
            else:
                old = next(own for own in parts if part.startswith(f"{own}."))
                yield start + parts[old] + part.removeprefix(old), value
        elif name == "logit_scale":
            yield name, value
        else:
            old = next(own for own in towers if name == own or name.startswith(f"{own}."))
            turned = value.T.contiguous() if old in ("visual.proj", "text_projection") else value
            yield towers[old] + name.removeprefix(old), turned


def _config(model: Model) -> dict[str, Any]:
    sizes = model.backbone.shape
    text = {
        "vocab_size": sizes.text.vocabulary,
        "max_position_embeddings": sizes.text.tokens,
        # The end has the largest id, the start the one before.
        "bos_token_id": sizes.text.vocabulary - 2,
        "eos_token_id": sizes.text.vocabulary - 1,
        "pad_token_id": 0,
    }
    vision = {"image_size": pixels(model)["size"][0], "patch_size": sizes.image.patch}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": sizes.image.embed,
        "logit_scale_init_value": model.logit_scale,
        "text_config": {"model_type": "clip_text_model", **_tower(sizes.text, sizes), **text},
        "vision_config": {"model_type": "clip_vision_model", **_tower(sizes.image, sizes), **vision},
        "dtype": "float32",
    }


def _tower(tower: TowerShape, sizes: Shape) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "projection_dim": tower.embed,
        "hidden_act": "quick_gelu" if sizes.quick_gelu else "gelu",
        "layer_norm_eps": 1e-5,
    }


def _images(model: Model) -> dict[str, Any]:
    images = pixels(model)
    height, width = images["size"]
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": height, "width": width},
        "resample": BILINEAR,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(images["mean"]),
        "image_std": list(images["std"]),
    }


def _words(model: Model) -> dict[str, Any]:
    return {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": model.backbone.shape.text.tokens,
    }
