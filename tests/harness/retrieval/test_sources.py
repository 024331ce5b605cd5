"""What a user names becomes a backbone: by its files, and by the sizes in them."""

from __future__ import annotations

import types

import pytest
import torch

from harness.errors import UserError
from harness.model import open_clip_files, weight_files
from harness.model.source import Source
from harness.retrieval.sources import source_of


def state(model: str, positions: int) -> dict[str, torch.Tensor]:
    """The tensors that tell sizes, without numbers."""
    config = open_clip_files.config(model)
    image, text = config["vision_cfg"], config["text_cfg"]
    shapes = {
        "visual.conv1.weight": (image["width"], 3, image["patch_size"], image["patch_size"]),
        "visual.positional_embedding": (positions + 1, image["width"]),
        "text_projection": (text["width"], config["embed_dim"]),
        "token_embedding.weight": (49408, text["width"]),
        "positional_embedding": (77, text["width"]),
        **{f"visual.transformer.resblocks.{n}.ln_1.weight": (image["width"],) for n in range(image["layers"])},
        **{f"transformer.resblocks.{n}.ln_1.weight": (text["width"],) for n in range(text["layers"])},
    }
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.parametrize(
    "model, positions, image",
    [
        ("ViT-B-16", 196, (224, 224)),
        ("ViT-B-16", 192, (384, 128)),
        ("ViT-B-32", 48, (384, 128)),
        ("ViT-B-16", 128, (256, 128)),
        ("ViT-L-14", 256, (224, 224)),
    ],
)
def test_sizes_tell_the_model_and_its_image(model, positions, image, tmp_path, monkeypatch):
    (tmp_path / "best.pth").touch()
    monkeypatch.setattr(weight_files, "form", lambda path: types.SimpleNamespace(state=state(model, positions)))
    expected = Source(model, str(tmp_path / "best.pth"), image, activation="quick_gelu")
    assert source_of(tmp_path / "best.pth", "quick_gelu") == expected


def test_what_no_model_has_is_refused(tmp_path, monkeypatch):
    (tmp_path / "odd.pth").touch()
    odd = state("ViT-B-16", 196) | {"text_projection": torch.empty(512, 100, device="meta")}
    monkeypatch.setattr(weight_files, "form", lambda path: types.SimpleNamespace(state=odd))
    with pytest.raises(UserError, match=r"embed_dim 100, vision_cfg\.width 768"):
        source_of(tmp_path / "odd.pth")
    del odd["token_embedding.weight"]
    with pytest.raises(UserError, match=r"token_embedding\.weight' is missing"):
        source_of(tmp_path / "odd.pth")


def test_shipped_names_and_folders_are_taken_as_they_are(tmp_path):
    import shutil

    from harness.model.source import SHIPPED

    assert source_of("tiny") == Source("tiny")
    shutil.copytree(SHIPPED / "tiny", tmp_path / "mine")
    assert source_of(tmp_path / "mine") == Source(str(tmp_path / "mine"))
    with pytest.raises(UserError, match="one of small, tiny"):
        source_of("tinny")
