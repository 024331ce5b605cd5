"""A trained model on a small backbone with weights of its own in a file, as a kept trial gives it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness import registry
from harness.adaptation.method import make, written_out
from harness.adaptation.probe import SMALL, disturb
from harness.export.model import Model
from harness.model import weights
from harness.model.clip import Shape
from harness.model.names import theirs
from harness.model.source import Source

SQUARE = dataclasses.replace(SMALL, image=dataclasses.replace(SMALL.image, grid=(3, 3), tokens=10))


@pytest.fixture
def trained(tmp_path) -> Callable[..., Model]:
    """A function of a method's name, its options and whether images are square."""

    def of(name: str, options: dict[str, Any] | None = None, square: bool = False, quick: bool = True) -> Model:
        sizes = dataclasses.replace(SQUARE if square else SMALL, quick_gelu=quick)
        rows, columns = sizes.image.grid
        source = Source(str(kept(sizes, tmp_path / f"backbone-{rows}x{columns}{'' if quick else '-gelu'}")))
        backbone, method = weights.load(source), make(registry.find("methods", name), options)
        torch.manual_seed(1)
        method.attach(backbone)
        if method.parameters(sizes):
            disturb(backbone)
        return Model(backbone.requires_grad_(False).eval(), source, name, written_out(method))

    return of


def kept(sizes: Shape, folder):
    """A random backbone of these sizes in open_clip's layout, written by hand."""
    folder.mkdir(exist_ok=True)
    rows, columns = sizes.image.grid
    vision = {"image_size": [rows * 16, columns * 16], "layers": 2, "width": 128, "head_width": 64, "patch_size": 16}
    text = {"context_length": 24, "vocab_size": 80, "width": 64, "heads": 1, "layers": 2}
    config = {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text, "quick_gelu": sizes.quick_gelu}
    images = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    whole = {"model_cfg": config, "preprocess_cfg": images}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    backbone = disturb(weights.random(sizes), seed=1)
    save_file(theirs(backbone.state_dict(), 4.6), folder / weights.FILE)
    return folder


@pytest.fixture
def inputs() -> Callable[[Model], tuple[torch.Tensor, torch.Tensor]]:
    """Images of a model's size and captions of different lengths, ends 79."""

    def of(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(3)
        ids = torch.randint(1, 77, (4, 24), generator=generator)
        ids[:, 0] = 78
        for row, end in zip(ids, (23, 9, 4, 15), strict=True):
            row[end], row[end + 1 :] = 79, 0
        rows, columns = model.backbone.shape.image.grid
        return torch.randn(4, 3, rows * 16, columns * 16, generator=generator), ids

    return of
