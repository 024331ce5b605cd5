"""The shipped backbone: in open_clip's own format, with the hash and the log it claims, made again by its command."""

from __future__ import annotations

import hashlib
import json

import open_clip
import pytest
import torch

from harness.backbones import pretrain
from harness.model.source import SHIPPED, Source
from harness.model.tokenizer import tokenizer
from harness.model.weights import load, shape

FOLDERS = sorted(p.name for p in SHIPPED.iterdir() if (p / "open_clip_config.json").is_file())


@pytest.mark.parametrize("name", FOLDERS)
def test_open_clip_reads_it_and_agrees(name):
    model = open_clip.create_model(f"local-dir:{SHIPPED / name}").eval()
    source = Source(name)
    backbone, sizes = load(source), shape(source)
    images = torch.randn(3, 3, *(side * sizes.image.patch for side in sizes.image.grid))
    ids, _ = tokenizer(source)(["a man in a red coat", "a woman with a very long green xylophone", "shoes"])
    ids = torch.as_tensor(ids)
    with torch.no_grad():
        assert (backbone.image(images) - model.encode_image(images)).abs().max() < 1e-5
        assert (backbone.text(ids) - model.encode_text(ids)).abs().max() < 1e-5


@pytest.mark.parametrize("name", FOLDERS)
def test_the_log_belongs_to_the_weights(name):
    log = json.loads((SHIPPED / name / "training.json").read_text())
    assert log["sha256"] == hashlib.sha256((SHIPPED / name / "open_clip_model.safetensors").read_bytes()).hexdigest()
    assert [row["epoch"] for row in log["log"]] == list(range(1, log["settings"]["epochs"] + 1))
    assert log["log"][-1]["val_R1"] > 25, "chance is 0.5"
    assert sum(p.stat().st_size for p in (SHIPPED / name).iterdir()) < 8_000_000


def test_the_command_makes_a_folder_that_can_be_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "DOMAINS", {name: {"size": "tiny"} for name in pretrain.DOMAINS})
    pretrain.pretrain(tmp_path / "b", tmp_path / "data", epochs=2, batch=16, lr=1e-3, seed=0, size="tiny")
    log = json.loads((tmp_path / "b" / "training.json").read_text())
    assert log["log"][1]["loss"] < log["log"][0]["loss"]
    assert shape(Source(str(tmp_path / "b"))).parameters == sum(
        p.numel() for p in load(Source(str(tmp_path / "b"))).parameters()
    )
    first = (tmp_path / "b" / "open_clip_model.safetensors").read_bytes()
    pretrain.pretrain(tmp_path / "b", tmp_path / "data", epochs=2, batch=16, lr=1e-3, seed=0, size="tiny")
    assert (tmp_path / "b" / "open_clip_model.safetensors").read_bytes() == first
