"""peft loads what `--as peft` writes onto Hugging Face's CLIP, with our features."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from harness.errors import UserError
from harness.export.export import export
from tests.harness.export.test_huggingface import features, loaded

CLOSE = 1e-5
CASES = {
    "lora": ("lora", {}),
    "lora everywhere": ("lora", {"rank": 3, "alpha": 5.0, "targets": ["q", "k", "v", "out", "fc1", "fc2"]}),
    "rslora": ("lora", {"rank": 3, "alpha": 5.0, "scaling": "rslora"}),
    "learned": ("lora", {"rank": 2, "targets": ["k", "v"], "scaling": "learned"}),
    "one block of one tower": ("lora", {"depth": [1], "towers": "text"}),
    "lora of two ranks": ("lora", {"rank": 2, "more": [{"towers": "image", "depth": [1], "rank": 3, "alpha": 12.0}]}),
    "rslora of two ranks": (
        "lora",
        {"rank": 2, "scaling": "rslora", "more": [{"depth": [0], "rank": 5}]},
    ),
    "learned of two ranks": ("lora", {"rank": 2, "scaling": "learned", "more": [{"towers": "text", "rank": 3}]}),
    "pissa of two ranks": ("pissa", {"rank": 2, "more": [{"towers": "text", "depth": [0], "rank": 3}]}),
    "dora of two ranks": ("dora", {"rank": 2, "more": [{"towers": "text", "depth": [1], "rank": 3, "alpha": 12.0}]}),
    "vera of two ranks": ("vera", {"rank": 8, "more": [{"towers": "text", "depth": [1], "rank": 9}]}),
    "dora": ("dora", {"targets": ["q", "fc2"]}),
    "pissa": ("pissa", {"rank": 3, "targets": ["v", "fc1"]}),
    "ia3": ("ia3", {}),
    "ia3 of the MLP": ("ia3", {"sites": ["mlp"], "towers": "image"}),
    "vera": ("vera", {"rank": 8, "seed": 3}),
    "vera of all": ("vera", {"rank": 8, "targets": ["q", "fc1", "fc2"]}),
    "vera of texts": ("vera", {"rank": 8, "towers": "text"}),
}


@pytest.mark.parametrize("case", CASES)
def test_features_are_ours(case, trained, inputs, tmp_path):
    from peft import PeftModel

    name, options = CASES[case]
    model = trained(name, options, square=True)
    export(model, tmp_path / "out", "peft")
    base = loaded(tmp_path / "out" / "base")
    given = inputs(model)
    with torch.no_grad():
        own = model.backbone.image(given[0]), model.backbone.text(given[1])
    before = features(base, *given)
    theirs = features(PeftModel.from_pretrained(base, tmp_path / "out"), *given)
    towers = {"image": [0], "text": [1]}.get(options.get("towers"), [0, 1])
    for index in (0, 1):
        assert (theirs[index] - own[index]).abs().max() < CLOSE
        assert bool((before[index] - own[index]).abs().max() > 1e-3) is (index in towers), "the adapter matters"


def test_the_files_say_what_peft_needs(trained, tmp_path):
    model = trained("lora", {"alpha": 8.0}, square=True)
    export(model, tmp_path / "out", "peft")
    told = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert told["peft_type"] == "LORA" and (told["r"], told["lora_alpha"], told["task_type"]) == (4, 8, None)
    assert told["target_modules"] == ["q_proj", "v_proj"] and told["base_model_name_or_path"] == "base"
    names = set(load_file(tmp_path / "out" / "adapter_model.safetensors"))
    assert "base_model.model.vision_model.encoder.layers.0.self_attn.q_proj.lora_A.weight" in names and len(names) == 16
    export(trained("lora", {"depth": 1}, square=True), tmp_path / "one", "peft")
    told = json.loads((tmp_path / "one" / "adapter_config.json").read_text())
    assert "text_model.encoder.layers.0.self_attn.q_proj" in told["target_modules"] and len(told["target_modules"]) == 4


def test_weights_of_openai_are_on_the_hub(trained, tmp_path, monkeypatch):
    from harness.export import peft

    model = trained("lora", square=True)
    openai = dataclasses.replace(model, source=dataclasses.replace(model.source, name="ViT-B-16", pretrained="openai"))
    assert peft._base(openai, tmp_path) == "openai/clip-vit-base-patch16"
    wide = dataclasses.replace(openai.source, image=(240, 240))
    monkeypatch.setattr(peft.huggingface, "write", lambda model, folder: None)
    monkeypatch.setattr(type(model), "base", lambda self: self.backbone)
    assert peft._base(dataclasses.replace(openai, source=wide), tmp_path) == "base"


@pytest.mark.parametrize("name", ["prefix", "ssf", "full", "union", "up_person", "zero_shot"])
def test_what_peft_has_not_is_refused(name, trained, tmp_path):
    model = trained(name, {"parts": ["lora"]} if name == "union" else None, square=True)
    with pytest.raises(
        UserError, match=rf"--as: peft has no {name}, of those here lora, dora, pissa, ia3, vera; expected"
    ):
        export(model, tmp_path / "out", "peft")
    with pytest.raises(UserError, match=r"--as: peft has no place for images of 64x32"):
        export(trained("lora"), tmp_path / "out", "peft")
    assert not (tmp_path / "out").exists()
