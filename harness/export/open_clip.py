"""open_clip's `local-dir` layout: one safetensors file and `open_clip_config.json`.

    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:FOLDER")

`upbench` reads the folder too: `backbone: FOLDER`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from harness.export.model import Model, pixels, plain, state, vocabulary
from harness.model.clip import Shape
from harness.model.source import CONFIG
from harness.model.weights import FILE


def write(model: Model, folder: Path) -> None:
    """Write the model, merged.

    Raises:
        UserError: a part of the method does not fold into the weights.
    """
    save_file(state(model, plain(model, "open_clip")), folder / FILE)
    config(model, folder)


def config(model: Model, folder: Path) -> None:
    """Sizes, images and vocabulary."""
    sizes, images = model.backbone.shape, pixels(model)
    about = {"model_cfg": _sizes(sizes), "preprocess_cfg": _preprocess(images)}
    (folder / CONFIG).write_text(json.dumps(about, indent=1), encoding="utf-8")
    if own := vocabulary(model):
        shutil.copyfile(own, folder / own.name)


def _sizes(sizes: Shape) -> dict[str, Any]:
    image, text = sizes.image, sizes.text
    rows, columns = image.grid
    return {
        "embed_dim": image.embed,
        "quick_gelu": sizes.quick_gelu,
        "vision_cfg": {
            "image_size": [rows * image.patch, columns * image.patch],
            "layers": image.layers,
            "width": image.width,
            "head_width": image.width // image.heads,
            "mlp_ratio": image.mlp / image.width,
            "patch_size": image.patch,
        },
        "text_cfg": {
            "context_length": text.tokens,
            "vocab_size": text.vocabulary,
            "width": text.width,
            "heads": text.heads,
            "layers": text.layers,
            "mlp_ratio": text.mlp / text.width,
        },
    }


def _preprocess(images: dict[str, Any]) -> dict[str, Any]:
    """Our images are squeezed to the size with Pillow's bilinear filter."""
    return {
        "mean": list(images["mean"]),
        "std": list(images["std"]),
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
