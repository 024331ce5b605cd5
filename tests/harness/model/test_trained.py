"""UP-Person's released form becomes towers and a trained method, with the features that the reference computed.

The file is put together from the weights of `tests/fixtures/oracle`, which have the release's names, in its container.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.adaptation import carried
from harness.adaptation.method import make, trainable
from harness.adaptation.probe import BASE, LARGE, on_meta, sizes_of
from harness.cli import main
from harness.errors import UserError
from harness.model import trained, weight_files
from harness.model.weights import Source
from harness.trial import spec
from harness.trial.resolve import resolve
from methods import up_person
from tests.methods import test_oracle

ORACLE = Path(__file__).parents[2] / "fixtures" / "oracle"
CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": [64, 32], "layers": 2, "width": 128, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 512, "width": 64, "heads": 1, "layers": 2},
}
CLOSE = 1e-5  # of the largest value, as in tests/methods/test_oracle.py
ALL = {"length": 3, "depth": None, "towers": "both", "rank": 4, "reduction": 8}


@pytest.fixture(scope="module")
def given() -> dict[str, Tensor]:
    with np.load(ORACLE / "tiny_a_io.npz") as file:
        whole = {name: torch.from_numpy(file[name]) for name in file}
    return {name: value.float() if value.is_floating_point() else value.long() for name, value in whole.items()}


@pytest.fixture
def sizes(tmp_path) -> str:
    """A folder that has the sizes and says GELU, so that QuickGELU can only come from the file."""
    (tmp_path / "sizes").mkdir()
    (tmp_path / "sizes" / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    return str(tmp_path / "sizes")


def released(given: dict[str, Tensor], lora: int = 2, prefix: int = 2, adapter: int = 0) -> dict[str, Tensor]:
    """The state dict that the release saves, with parts at these depths, as its training code counts them."""
    weights = load_file(ORACLE / "tiny_a_weights.safetensors")
    whole = {f"base_model.{n.removeprefix('clip.')}": v for n, v in weights.items() if n.startswith("clip.")}
    whole["base_model.visual.positional_embedding"] = given["visual_positional_embedding_resized"]
    for name, value in weights.items():
        block = re.search(r"\.(\d+)\.", name)
        if name.startswith("petl.") and block:
            last = lora if "LORA" in name else prefix if "prefix" in name else None
            keep = int(block[1]) < last if last is not None else int(block[1]) >= adapter
            if keep:
                whole[name.removeprefix("petl.")] = value
    return whole


def saved(state: dict[str, Tensor], path: Path) -> Source:
    optimizer = {"state": {0: {"exp_avg": torch.zeros(11)}}, "param_groups": [{"lr": 1e-3}]}
    torch.save({"model": state, "optimizer": optimizer, "scheduler": {"last_epoch": 3}, "epoch": 60}, path)
    return Source(str(path.parent / "sizes"), str(path))


def error(source: Source, given: dict[str, Tensor], variant: str) -> float:
    """Largest difference from the reference's features, relative to the largest value."""
    backbone = carried.load(source)
    assert not trainable(backbone) and not backbone.training
    with torch.no_grad():
        image, text = backbone.image(given["images"]), backbone.text(given["caption_ids"])
    return max(
        float((own - given[f"{variant}/{name}_feat"]).abs().max() / given[f"{variant}/{name}_feat"].abs().max())
        for name, own in (("image", image), ("text", text))
    )


LORA = {"rank": 4, "targets": ["k", "v"], "scaling": "learned"}
VARIANTS = {
    "all": ((2, 2, 0), "up_person", ALL),
    "all_depth_lora1": (
        (1, 2, 0),
        "union",
        {
            "parts": [
                {"s_prefix": {"length": 3, "depth": None, "towers": "both"}},
                {"lora": {**LORA, "depth": 1, "towers": "both"}},
                {"l_adapter": {"reduction": 8, "depth": None, "towers": "both"}},
            ]
        },
    ),
    "all_depth_adapter1": ((2, 2, 1), "union", None),
    "all_depth_prefix1": ((2, 1, 0), "union", None),
    "adapter_depth1": (
        (0, 0, 1),
        "union",
        {"parts": [{"l_adapter": {"reduction": 8, "depth": -1, "towers": "both"}}]},
    ),
    "lora": ((2, 0, 2), "union", {"parts": [{"lora": {**LORA, "depth": None, "towers": "both"}}]}),
    "prefix_depth1_s100": ((0, 1, 2), "union", None),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_features_are_those_of_the_reference(variant, given, sizes, tmp_path):
    depths, method, options = VARIANTS[variant]
    state = released(given, *depths)
    if variant.endswith("_s100"):
        state |= {name: torch.tensor(100.0) for name in state if name.endswith("scale_to_grad")}
    source = saved(state, tmp_path / "best.pth")
    found = weight_files.form(tmp_path / "best.pth")
    assert (found.origin, found.quick_gelu, found.left_out) == ("UP-Person", True, {"optimizer": 11})
    assert found.method.method == method and options in (None, found.method.options)
    assert found.used == sum(value.numel() for value in state.values())
    assert error(source, given, variant) < CLOSE


def test_a_file_without_its_parts_is_a_backbone_alone(given, sizes, tmp_path):
    source = saved(released(given, 0, 0, 2), tmp_path / "best.pth")
    assert carried.of(source) is None and error(source, given, "plain") < CLOSE


def test_names_of_data_parallel_and_of_prefixes_that_ran(given, sizes, tmp_path):
    """The release registers a prefix in its attention at the first pass, so its state dict may hold it twice."""
    state = released(given)
    again, towers = {}, {"vit": "base_model.visual.", "text": "base_model."}
    for name, value in state.items():
        if match := re.fullmatch(r"(vit|text)_prefix_learner\.\w+_prefix\.(\d+)\.(.+)", name):
            again[f"{towers[match[1]]}transformer.resblocks.{match[2]}.attn.prefix.{match[3]}"] = value
    assert len(again) == 20
    source = saved({f"module.{name}": value for name, value in (state | again).items()}, tmp_path / "best.pth")
    assert weight_files.form(tmp_path / "best.pth").left_out == {"optimizer": 11}
    assert carried.of(source).options == ALL and error(source, given, "all") < CLOSE


def test_what_differs_between_towers_is_read_apart(given, sizes, tmp_path):
    state = released(given)
    state = {n: v for n, v in state.items() if not n.startswith(("text_prefix", "LORA_learner.lora_text.1"))}
    options = carried.of(saved(state, tmp_path / "best.pth")).options
    assert options["parts"] == [
        {"s_prefix": {"length": 3, "depth": None, "towers": "image"}},
        {"lora": {**LORA, "depth": None, "towers": "image"}},
        {"lora": {**LORA, "depth": 1, "towers": "text"}},
        {"l_adapter": {"reduction": 8, "depth": None, "towers": "both"}},
    ]
    assert len(trainable(carried.load(Source(sizes, str(tmp_path / "best.pth"))))) == 0


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 7_419_816),
        ({"length": 14}, 7_542_696),
        ({"rank": 16, "length": 2}, 6_191_016),
        ({"depth": 7}, None),
        ({"depth": (-3)}, None),
        ({"depth": (0, 5)}, None),
        ({"towers": "text"}, 2_496_084),
    ],
    ids=str,
)
@pytest.mark.parametrize("sizes", [BASE, LARGE], ids=["ViT-B/16", "ViT-L/14"])
def test_the_published_sizes_are_read_off_the_shapes(sizes, options, count):
    """Of the settings of the papers, and of others, by shapes alone."""
    method = up_person.Method(**options)
    backbone = on_meta(method, sizes_of(sizes))
    names = {name: test_oracle.theirs(name) for name in trainable(backbone)}
    state = {names[name]: value for name, value in trainable(backbone).items()}
    for tower, start in ((backbone.image, "visual."), (backbone.text, "")):
        bias = f"base_model.{start}transformer.resblocks.{len(tower.blocks) - 1}.ln_1.bias"
        state[bias] = tower.block(-1).ln1.bias
    found, taken = trained.up_person(state)
    assert taken == set(names.values()) and found.parameters == method.parameters(sizes_of(sizes))
    assert count in (None, found.parameters) or sizes == LARGE
    assert set(found.state) == set(names), "by our names, each once"
    if method.towers == "both":
        assert found.method == "up_person" and make(up_person, found.options) == method
    else:
        assert [next(iter(part.values()))["towers"] for part in found.options["parts"]] == ["text"] * 3


def test_what_no_method_has_is_refused(given, sizes, tmp_path):
    state = released(given)
    for name, value in (("A.0", torch.zeros(3, 128)), ("B.0", torch.zeros(128, 3))):
        state[f"LORA_learner.lora_image.1.lora_{name}"] = value
    with pytest.raises(UserError, match=r"backbone\.pretrained: lora in the image tower has sizes 3, 4; expected one"):
        carried.load(saved(state, tmp_path / "ranks.pth"))
    state = released(given)
    del state["vit_prefix_learner.vit_prefix.1.scale_to_grad"]
    with pytest.raises(UserError, match=r"short\.pth: up_person: .*missing image\.blocks\.1\.attn\.prefix\.0\.scale"):
        carried.load(saved(state, tmp_path / "short.pth"))
    state = released(given)
    state["base_model.visual.transformer.resblocks.0.adapter_ln_msa.down.weight"] = torch.zeros(100, 128)
    with pytest.raises(UserError, match=r"adapters of 100 in a tower of 128; expected the width over a whole number"):
        carried.load(saved(state, tmp_path / "wide.pth"))


def trial(source: Source, method: str) -> spec.Trial:
    return spec.Trial(
        method=method,
        options={},
        label=method,
        budget=None,
        dataset={"dataset": "synth_cuhk", "options": {"size": "tiny"}},
        backbone={"name": source.name, "pretrained": source.pretrained},
        recipe=spec.recipe({"name": "short"}),
        selection="val",
        evaluate_on=(),
        seed=0,
        device="cpu",
        threads=1,
    )


def test_a_trained_model_is_measured_as_it_is_and_nothing_is_trained_on_it(given, sizes, tmp_path):
    state = released(given)
    source = saved(state, tmp_path / "best.pth")
    found = resolve(trial(source, "zero_shot"), tmp_path / "data")
    towers = sum(
        value.numel() for name, value in state.items() if name.startswith("base_model.") and "adapter" not in name
    )
    own = weight_files.form(tmp_path / "best.pth").method.parameters
    assert (found.trained, found.total) == (0, sum(v.numel() for v in state.values())) and towers < found.total
    assert own == sum(v.numel() for n, v in state.items() if "_learner" in n or "adapter" in n or "scale_" in n)
    with pytest.raises(
        UserError, match=r"backbone: .*best\.pth carries a trained up_person, and lora would be trained on"
    ):
        resolve(trial(source, "lora"), tmp_path / "data")


def test_its_code_names_the_trial(given, sizes, tmp_path):
    """A change in `methods/up_person.py` makes it another trial, though its own method is `zero_shot`."""
    whole = saved(released(given), tmp_path / "best.pth")
    bare = saved(released(given, 0, 0, 2), tmp_path / "bare.pth")
    assert carried.names(carried.of(whole)) == ("up_person",) and carried.names(carried.of(bare)) == ()
    some = saved(released(given, 1), tmp_path / "some.pth")
    assert carried.names(carried.of(some)) == ("union", "s_prefix", "lora", "l_adapter")
    codes = {resolve(trial(s, "zero_shot"), tmp_path / "data").hashes["code"] for s in (whole, bare, some)}
    assert len(codes) == 3


def test_the_command_says_it_all(given, sizes, tmp_path, capsys):
    saved(released(given), tmp_path / "best.pth")
    assert main.call(["weights", str(tmp_path / "best.pth")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    size = "method up_person: length 3, rank 4, reduction 8 29,820 parameters used"
    for words in (
        "origin UP-Person",
        "image 2 blocks of 128; text 2 blocks of 64",
        "8 patches, 2:1",
        size,
        "optimizer 11",
    ):
        assert words in out, (words, out)
    assert main.call(["weights", str(tmp_path / "best.pth"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["method"]["name"] == "up_person" and told["method"]["options"] == ALL
    assert told["method"]["parameters"] == 29_820
    saved(released(given, 1), tmp_path / "some.pth")
    assert main.call(["weights", str(tmp_path / "some.pth")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "union of 3 parts, 26,744 parameters s_prefix: length 3 lora: rank 4, targets k v, scaling learned" in out
