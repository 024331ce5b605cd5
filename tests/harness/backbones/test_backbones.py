"""The shipped backbones: in open_clip's own format, with the hash and the log it claims, made again by its command."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from harness.backbones import pretrain
from harness.model.source import SHIPPED, Source
from harness.model.tokenizer import tokenizer
from harness.model.weights import load, shape
from harness.trial import splits

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


BRIEF = replace(pretrain.PLANS["tiny"], epochs=2)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Pre-train by a brief plan on tiny data; returns the folder."""
    monkeypatch.setattr(pretrain, "DOMAINS", {name: {"size": "tiny"} for name in pretrain.DOMAINS})

    def make(name: str, plan: pretrain.Plan):
        given = {"batch": 16, "lr": 1e-3, "seed": 0, "size": "tiny"}
        pretrain.pretrain(name, plan, tmp_path / "b", tmp_path / "data", **given)
        return tmp_path / "b"

    return make


def test_the_command_makes_a_folder_that_can_be_loaded(made):
    folder = made("tiny", BRIEF)
    log = json.loads((folder / "training.json").read_text())
    assert log["log"][1]["loss"] < log["log"][0]["loss"]
    assert shape(Source(str(folder))).parameters == sum(p.numel() for p in load(Source(str(folder))).parameters())
    first = (folder / "open_clip_model.safetensors").read_bytes()
    made("tiny", BRIEF)
    assert (folder / "open_clip_model.safetensors").read_bytes() == first


def test_draws_take_turns_and_float16_is_written(made, monkeypatch):
    seen, whole = [], splits.part
    monkeypatch.setattr(
        pretrain.splits, "part", lambda d, *rest: seen.append((d["options"].get("seed", 0), rest[1])) or whole(d, *rest)
    )
    folder = made("small", replace(BRIEF, draws=2, groups=2, half=True))
    assert [seed for seed, name in seen if name == "train"] == [0, 1]
    assert {seed for seed, name in seen if name == "val"} == {0}
    weights = load_file(folder / "open_clip_model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    log = json.loads((folder / "training.json").read_text())
    assert len(set(log["data"])) == log["settings"]["draws"] == 2
    assert log["command"].endswith("--name small")


@pytest.mark.parametrize("name", FOLDERS)
def test_what_ships_is_what_its_plan_says(name):
    plan, log = pretrain.PLANS[name], json.loads((SHIPPED / name / "training.json").read_text())
    assert log["settings"]["epochs"] == plan.epochs and log["settings"].get("draws", 1) == plan.draws
    config = json.loads((SHIPPED / name / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"]["vocab_size"] = 0
    assert config == plan.config
    weights = load_file(SHIPPED / name / "open_clip_model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16 if plan.half else torch.float32}


def test_small_has_the_blocks_of_clip():
    sizes = pretrain.PLANS["small"].config
    assert sizes["vision_cfg"]["layers"] == sizes["text_cfg"]["layers"] == 12
