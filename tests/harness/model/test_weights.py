"""Where weights are found, what is said when they are not here, and what tells two backbones apart."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness.cli import main
from harness.errors import EnvironmentFault, UserError
from harness.model import weight_files, weights
from harness.model.weights import Source

OPENAI = Source("ViT-B-16", "openai", (384, 128))
STUDY = """
name: real
backbone: {name: ViT-B-16, pretrained: openai, image: [384, 128]}
datasets: [{synth_cuhk: {size: tiny}}]
methods: [bitfit]
seeds: [0]
"""


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """A machine without any weights, and without a network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)

    def refuse(tag):
        raise OSError("no route to host")

    monkeypatch.setattr("open_clip.pretrained.download_pretrained", refuse)
    return tmp_path


def test_a_plan_needs_no_weights_and_says_so_and_a_run_refuses(nothing_here, tmp_path, capsys):
    (tmp_path / "real.yaml").write_text(STUDY)
    places = ["--data", str(tmp_path / "data"), "--store", str(tmp_path / "store")]
    assert main.call(["plan", str(tmp_path / "real.yaml"), "--no-probe", *places]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if "not on this machine" in line)
    assert "1 trials: 1 to run" in out and line.endswith("; ids stay the same")
    assert main.call(["run", str(tmp_path / "real.yaml"), "--executor", "serial", *places]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and "weights openai of ViT-B-16 are not on this machine" in err
    assert "python -m harness.model.weights ViT-B-16 openai" in err and "--set backbone.pretrained=FILE" in err
    assert f"{tmp_path}/.cache/clip/ViT-B-16.pt" in err
    assert not list((tmp_path / "store" / "trials").iterdir())
    assert main.call(["plan", str(tmp_path / "real.yaml"), "--no-probe", *places, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["lacking"]) == 1 and [row["state"] for row in found["trials"]] == ["to run"]


def test_fetching_without_a_network_says_what_else_helps(nothing_here):
    with pytest.raises(EnvironmentFault, match=r"could not be fetched \(no route to host\); expected .* or the publi"):
        weights.fetch(OPENAI)
    with pytest.raises(UserError, match="did you mean openai"):
        weights.fetch(Source("ViT-B-16", "openia"))
    with pytest.raises(EnvironmentFault, match="not on this machine"):
        weights.load(OPENAI)


def test_a_file_put_there_by_hand_is_the_published_one_or_refused(nothing_here, monkeypatch):
    place = weight_files.by_hand(weights._tag(OPENAI))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"some other weights")
    with pytest.raises(
        EnvironmentFault, match=rf"{place.name}: not the published weights: SHA-256 .* expected 5806e77c"
    ):
        weights.lacking(OPENAI)
    digest = hashlib.sha256(b"some other weights").hexdigest()
    tag = {"url": f"models/{digest}/ViT-B-16.pt"}
    assert weight_files.find(tag) == place
    monkeypatch.setattr(weights, "_tag", lambda source: tag)
    assert weights.lacking(OPENAI) is None and weights.fetch(OPENAI) == place


def test_a_file_of_the_hub_is_found(nothing_here, monkeypatch):
    asked = []

    def cached(repository: str, name: str) -> str | None:
        asked.append((repository, name))
        return "/somewhere/weights.bin" if name.endswith(".bin") else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    assert weight_files.find({"hf_hub": "group/model/"}) == Path("/somewhere/weights.bin")
    assert asked == [("group/model", name) for name in weight_files.HUB_FILES]
    assert weight_files.find({"hf_hub": "group/model/own.bin"}) == Path("/somewhere/weights.bin")
    assert asked[-1] == ("group/model", "own.bin") and weight_files.find({}) is None


def test_a_tag_stands_for_its_weights_wherever_they_lie(nothing_here, tmp_path):
    assert weights.identity(OPENAI) == "ViT-B-16/openai"
    assert weights.identity(Source("ViT-B-16")) == "ViT-B-16/random" and weights.lacking(Source("ViT-B-16")) is None
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path, value in ((one, 1.0), (two, 2.0)):
        save_file({"a": torch.tensor(value)}, path)
    names = [weights.identity(Source("ViT-B-16", str(path))) for path in (one, two)]
    assert names[0] != names[1] and names[0] == hashlib.sha256(one.read_bytes()).hexdigest()[:16]
    save_file({"a": torch.tensor([3.0, 4.0])}, one)
    assert weights.identity(Source("ViT-B-16", str(one))) != names[0]


@pytest.mark.parametrize("damage", ["cut", "text", "code", "empty"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_damaged_file_is_one_line(tmp_path, damage, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"a": torch.ones(100)}, path)
    else:
        save_file({"a": torch.ones(100)}, path)
    whole = path.read_bytes()
    code = b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello", "code": code, "empty": b""}[damage])
    with pytest.raises(
        EnvironmentFault, match=r"cannot read .*weights.*expected an undamaged file of tensors"
    ) as caught:
        weight_files.read(path)
    assert "\n" not in str(caught.value) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_file_that_does_not_tell_its_activation_is_refused(tmp_path, suffix):
    """OpenAI's weights as a plain state dict: taken with GELU, features would differ and nothing say so."""
    keep = {".safetensors": save_file, ".pt": torch.save}[suffix]
    file = tmp_path / f"weights{suffix}"
    keep({"logit_scale": torch.ones(1)}, file)
    with pytest.raises(UserError, match=r"backbone\.activation: .* does not tell .*; expected quick_gelu .* gelu"):
        weights.shape(Source("ViT-B-16", str(file)))
    for said, quick in (("gelu", False), ("quick_gelu", True)):
        assert weights.shape(Source("ViT-B-16", str(file), activation=said)).quick_gelu is quick
    assert weights.shape(Source("ViT-B-16-quickgelu", str(file))).quick_gelu, "the name says so"
    other = tmp_path / f"openai{suffix}"
    keep({"logit_scale": torch.ones(1), "input_resolution": torch.tensor(224)}, other)
    assert weights.shape(Source("ViT-B-16", str(other))).quick_gelu
    assert weights.shape(Source("ViT-B-16", "openai")).quick_gelu
    assert not weights.shape(Source("ViT-B-16", "laion2b_s34b_b88k")).quick_gelu


def test_a_plan_refuses_such_a_file_in_one_line(tmp_path, capsys):
    file = tmp_path / "weights.safetensors"
    save_file({"logit_scale": torch.ones(1)}, file)
    (tmp_path / "real.yaml").write_text(STUDY.replace("openai", str(file)))
    places = ["--data", str(tmp_path / "data"), "--store", str(tmp_path / "store")]
    assert main.call(["plan", str(tmp_path / "real.yaml"), "--no-probe", *places]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and "does not tell its activation" in err
