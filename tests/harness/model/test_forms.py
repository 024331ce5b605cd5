"""Every form of checkpoint gives the features of the library that wrote it, and says what it is."""

from __future__ import annotations

import argparse
import copy
import json
import warnings
from pathlib import Path

import open_clip
import pytest
import torch

from harness.cli import main
from harness.errors import EnvironmentFault, UserError
from harness.model import weight_files
from harness.model.weights import Source, identity, load, shape

CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": [64, 32], "layers": 2, "width": 128, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 80, "width": 64, "heads": 1, "layers": 3},
    "quick_gelu": True,
}
CLOSE = 1e-5


def random_clip() -> torch.nn.Module:
    """open_clip's own, random everywhere."""
    torch.manual_seed(0)
    made = open_clip.model.CLIP(**CONFIG)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return random_clip()


@pytest.fixture
def name(tmp_path) -> str:
    """A folder that has the sizes and says GELU, so that QuickGELU can only come from the file."""
    (tmp_path / "sizes").mkdir()
    told = {"model_cfg": {**CONFIG, "quick_gelu": False}}
    (tmp_path / "sizes" / "open_clip_config.json").write_text(json.dumps(told))
    return str(tmp_path / "sizes")


def state(model: torch.nn.Module, start: str = "") -> dict[str, torch.Tensor]:
    return {start + key: value.detach().clone() for key, value in model.state_dict().items()}


HEADS = {"classifier.weight": torch.zeros(7, 64), "mlm_head.dense.weight": torch.zeros(5, 64)}
RDE = {"visul_emb_layer.fc.weight": torch.zeros(3, 64), "texual_emb_layer.fc.weight": torch.zeros(3, 64)}
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(11)}}, "param_groups": [{"lr": 1e-5}]}


def written(form: str, model: torch.nn.Module) -> object:
    """A checkpoint in a form, as its training code saves it."""
    plain = state(model)
    match form:
        case "OpenAI":
            return {**plain, "input_resolution": torch.tensor(64), "context_length": torch.tensor(24)}
        case "open_clip":
            return {"state_dict": state(model, "module."), "epoch": 3, "args": argparse.Namespace(lr=1e-5)}
        case "IRRA":
            whole = state(model, "base_model.") | HEADS
            return {"model": whole, "optimizer": OPTIMIZER, "scheduler": {"last_epoch": 3}, "epoch": 60}
        case "RDE":
            return {"model": state(model, "base_model.") | RDE, "epoch": 1}
        case "IRRA's family":
            return {"model": state(model, "module.base_model."), "arguments": {"iteration": 1}}
        case "a training script":
            return {"net": state(model, "clip.") | {"head.weight": torch.zeros(2, 64)}}
        case "model_state_dict":
            return {"model_state_dict": plain, "args": argparse.Namespace(name="mine")}
    raise ValueError(form)


FORMS = ["OpenAI", "open_clip", "IRRA", "RDE", "IRRA's family", "a training script", "model_state_dict"]
LEFT = {"IRRA": {"classifier": 448, "mlm_head": 320, "optimizer": 11}, "RDE": {"visul_emb_layer": 192,
        "texual_emb_layer": 192}, "a training script": {"head": 128}}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_features_are_those_of_the_library_that_wrote_it(form, model, name, tmp_path, small_inputs):
    file = tmp_path / "weights.pth"
    torch.save(written(form, model), file)
    found = weight_files.form(file)
    assert found.origin == ("open_clip" if form == "model_state_dict" else form)
    assert found.left_out == LEFT.get(form, {})
    assert found.used == sum(p.numel() for p in model.parameters()) - 1, "all but the logit scale"
    knows = form in ("OpenAI", "IRRA", "RDE", "IRRA's family")
    assert found.quick_gelu is (True if knows else None) and bool(found.known_by) is knows
    backbone = load(Source(name, str(file), activation="auto" if knows else "quick_gelu"))
    images, ids = small_inputs
    with torch.no_grad():
        assert (backbone.image(images) - model.encode_image(images)).abs().max() < CLOSE
        assert (backbone.text(ids) - model.encode_text(ids)).abs().max() < CLOSE


def archive(model: torch.nn.Module, file: Path) -> None:
    """OpenAI's container: a TorchScript archive that also holds the size of its images."""
    whole = copy.deepcopy(model)
    whole.register_buffer("input_resolution", torch.tensor(64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(whole).save(str(file))


def test_openais_archive(model, name, tmp_path, small_inputs):
    archive(model, tmp_path / "ViT.pt")
    found = weight_files.form(tmp_path / "ViT.pt")
    assert (found.origin, found.quick_gelu, found.left_out) == ("OpenAI", True, {})
    backbone, (images, ids) = load(Source(name, str(tmp_path / "ViT.pt"))), small_inputs
    with torch.no_grad():
        assert (backbone.image(images) - model.encode_image(images)).abs().max() < CLOSE
        assert (backbone.text(ids) - model.encode_text(ids)).abs().max() < CLOSE


def test_half_precision_is_read_as_float32(model, name, tmp_path):
    halves = {key: value.half() for key, value in state(model, "base_model.").items()}
    torch.save({"model": halves}, tmp_path / "half.pth")
    backbone = load(Source(name, str(tmp_path / "half.pth")))
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}
    assert torch.equal(backbone.image.class_token, model.visual.class_embedding.half().float())


def random_hugging_face():
    """A small random `CLIPModel`; GELU."""
    from transformers import CLIPConfig, CLIPModel

    text = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 1}
    text |= {"max_position_embeddings": 24, "vocab_size": 80, "eos_token_id": 2, "hidden_act": "gelu"}
    vision = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 64, "patch_size": 16, "hidden_act": "gelu"}
    torch.manual_seed(0)
    made = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=64))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture(scope="module")
def hugging_face():
    return random_hugging_face()


@pytest.mark.parametrize("layout", ["folder", "sharded", "bin", "file beside its config"])
def test_hugging_face_in_every_layout(layout, hugging_face, tmp_path, small_inputs):
    (tmp_path / "sizes").mkdir()
    sizes = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "image_size": 64}}
    (tmp_path / "sizes" / "open_clip_config.json").write_text(json.dumps({"model_cfg": sizes}))
    place = tmp_path / "hf"
    if layout == "bin":
        place.mkdir()
        (place / "config.json").write_text(hugging_face.config.to_json_string())
        torch.save(hugging_face.state_dict(), place / "pytorch_model.bin")
    else:
        hugging_face.save_pretrained(place, max_shard_size="200KB" if layout == "sharded" else "1GB")
    if layout == "sharded":
        assert len(weight_files.parts(place)) > 2
    source = Source(str(tmp_path / "sizes"), str(place / "model.safetensors" if "file" in layout else place))
    found = weight_files.form(tmp_path / "hf" if "file" not in layout else place / "model.safetensors")
    assert (found.origin, found.quick_gelu, found.left_out) == ("Hugging Face", False, {})
    assert found.known_by == "hidden_act gelu"
    backbone = load(Source(source.name, source.pretrained, activation="gelu"))
    ids = small_inputs[1].clone()
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        own = hugging_face.get_image_features(images), hugging_face.get_text_features(ids)
        image, text = (part if isinstance(part, torch.Tensor) else part.pooler_output for part in own)
        assert (backbone.image(images) - image).abs().max() < CLOSE
        assert (backbone.text(ids) - text).abs().max() < CLOSE
    assert len(identity(source)) == 16 and identity(source) != identity(Source(source.name))


def test_a_file_of_384x128_is_read_off_its_position_table(model, name, tmp_path):
    rows = torch.randn(24 * 8 + 1, 128)
    torch.save(
        {"model": state(model, "base_model.") | {"base_model.visual.positional_embedding": rows}}, tmp_path / "i"
    )
    wide = load(Source(name, str(tmp_path / "i"), image=(384, 128)))
    assert torch.equal(wide.image.position, rows), "nothing is resized where the grid is the wanted one"
    assert load(Source(name, str(tmp_path / "i"))).image.position.shape == (9, 128)
    odd = {"base_model.visual.positional_embedding": torch.randn(7 * 5 + 1, 128)}
    torch.save({"model": state(model, "base_model.") | odd}, tmp_path / "odd")
    with pytest.raises(UserError, match=r"35 patches, which is no usual image; expected backbone\.trained_at"):
        load(Source(name, str(tmp_path / "odd")))
    assert load(Source(name, str(tmp_path / "odd"), trained_at=(112, 80))).image.position.shape == (9, 128)
    with pytest.raises(UserError, match=r"backbone\.trained_at: the position table has 35 patches; expected 8x5"):
        load(Source(name, str(tmp_path / "odd"), trained_at=(128, 80)))


class Foreign:
    """A class of somebody's training code."""


def test_nothing_is_unpickled_beyond_plain_values(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(1)}, "hook": Foreign()}, tmp_path / "x.pt")
    with pytest.raises(EnvironmentFault, match=r"cannot read .*x\.pt: it asks for .*Foreign.*; expected an un"):
        weight_files.read(tmp_path / "x.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EnvironmentFault, match=r"no weights in .*empty.*expected one of open_clip_model"):
        weight_files.form(tmp_path / "empty")


def test_what_is_missing_is_an_error_and_what_is_left_out_is_not(model, name, tmp_path):
    whole = state(model, "base_model.") | HEADS
    del whole["base_model.ln_final.bias"]
    torch.save({"model": whole}, tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"missing text\.ln_final\.bias"):
        load(Source(name, str(tmp_path / "short.pth")))
    assert shape(Source(name, str(tmp_path / "short.pth"))).quick_gelu


def test_the_command_says_what_a_file_is(model, tmp_path, capsys):
    torch.save(written("IRRA", model), tmp_path / "irra.pth")
    assert main.call(["weights", str(tmp_path / "irra.pth")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in ("origin IRRA", "image 2 blocks of 128; text 3 blocks of 64; embedding 64", "8 patches, 2:1 as",
                  "quick_gelu, by IRRA was trained from OpenAI's weights", "optimizer 11, classifier 448"):  # fmt: skip
        assert words in out, (words, out)
    assert main.call(["weights", "tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["origin"], told["known_by"], told["left_out"]) == ("open_clip", "open_clip_config.json", {})
    torch.save({"a": torch.ones(3)}, tmp_path / "other.pt")
    assert main.call(["weights", str(tmp_path / "other.pt")]) == 2
    assert "holds no two towers of a CLIP, but a" in capsys.readouterr().err
    assert main.call(["weights", str(tmp_path / "nothing.pt")]) == 2
    assert "expected a path, or one of small, tiny" in capsys.readouterr().err
