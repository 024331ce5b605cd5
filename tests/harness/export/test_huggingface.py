"""`CLIPModel` loads what `--as huggingface` writes, with our features; its processor gives our ids and pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.pipeline import augment, images
from harness.errors import UserError
from harness.export.export import export
from harness.export.model import of
from harness.model import tokenizer, weights
from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.source import Source

CLOSE = 1e-5
CAPTIONS = [
    "A man in a red coat and blue jeans, carrying a backpack.",
    "The woman's hair is long; she's wearing high-heeled shoes (size 38).",
    "person " * 100,
]


def loaded(folder):
    from transformers import CLIPModel

    found, about = CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not about["missing_keys"] and not about["unexpected_keys"] and not about["mismatched_keys"]
    return found.eval()


def features(model, pixels, ids):
    with torch.no_grad():
        both = model.get_image_features(pixels), model.get_text_features(ids)
    return [part if isinstance(part, torch.Tensor) else part.pooler_output for part in both]


@pytest.mark.parametrize("quick", [True, False], ids=["quick_gelu", "gelu"])
@pytest.mark.parametrize("name", ["lora", "ssf", "full", "zero_shot"])
def test_features_are_ours(name, quick, trained, inputs, tmp_path):
    model = trained(name, square=True, quick=quick)
    export(model, tmp_path / "out", "huggingface")
    pixels, ids = inputs(model)
    image, text = features(loaded(tmp_path / "out"), pixels, ids)
    with torch.no_grad():
        assert (image - model.backbone.image(pixels)).abs().max() < CLOSE
        assert (text - model.backbone.text(ids)).abs().max() < CLOSE
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]


def test_our_own_reading_of_it(trained, inputs, tmp_path):
    """There and back, through `harness.model.forms`."""
    model = trained("lora", square=True)
    export(model, tmp_path / "out", "huggingface")
    again, given = weights.load(Source(model.source.name, str(tmp_path / "out"))), inputs(model)
    with torch.no_grad():
        assert (again.image(given[0]) - model.backbone.image(given[0])).abs().max() < CLOSE
        assert (again.text(given[1]) - model.backbone.text(given[1])).abs().max() < CLOSE


def test_images_that_are_not_square_are_refused(trained, tmp_path):
    with pytest.raises(
        UserError, match=r"--as: huggingface has no place for images of 64x32: a CLIPModel's are square; ex"
    ):
        export(trained("lora"), tmp_path / "out", "huggingface")
    with pytest.raises(
        UserError, match=r"huggingface has no place for a prefix in attention of prefix \(image\.blocks\.0"
    ):
        export(trained("prefix", square=True), tmp_path / "out", "huggingface")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def whole(tmp_path):
    """A narrow backbone with CLIP's own vocabulary and context."""
    folder = tmp_path / "whole"
    folder.mkdir()
    vision = {"image_size": 32, "layers": 1, "width": 64, "head_width": 64, "patch_size": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    config = {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text, "quick_gelu": True}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    sizes = Shape(
        TowerShape("image", 64, 1, 1, 256, 5, 32, (2, 2), 16),
        TowerShape("text", 64, 1, 1, 256, 77, 32, vocabulary=49408),
        quick_gelu=True,
    )
    assert weights.shape(Source(str(folder))) == sizes
    backbone: Backbone = weights.random(sizes)
    return of(backbone, Source(str(folder)), "zero_shot", {})


def test_words_and_pixels_are_ours(whole, tmp_path):
    from transformers import CLIPProcessor

    export(whole, tmp_path / "out", "huggingface")
    processor = CLIPProcessor.from_pretrained(tmp_path / "out")
    given = processor.tokenizer(CAPTIONS, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    ours, cut = tokenizer.tokenizer(whole.source)(CAPTIONS)
    assert cut == 1 and given.shape == ours.shape
    for theirs, own in zip(given.numpy(), ours, strict=True):
        end = int(own.argmax())
        assert np.array_equal(theirs[: end + 1], own[: end + 1])
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 50, 3), dtype=np.uint8))
    photo.save(tmp_path / "photo.png")
    size = weights.pixels(whole.source)
    read = torch.from_numpy(images.read(tmp_path / "photo.png", size["size"])).permute(2, 0, 1)[None]
    index = torch.zeros(1, dtype=torch.int64)
    own = augment.prepare(read, "none", size["mean"], size["std"], 0, 0, index)
    theirs = processor.image_processor(photo, return_tensors="pt")["pixel_values"]
    assert (own - theirs).abs().max() < 0.02, "one grey level: filters round differently"
    image, text = features(loaded(tmp_path / "out"), own, given)
    with torch.no_grad():
        assert (image - whole.backbone.image(own)).abs().max() < CLOSE
        assert (text - whole.backbone.text(torch.from_numpy(ours))).abs().max() < CLOSE
