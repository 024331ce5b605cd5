"""What `--as upbench` writes is loaded again with the same features, for every method."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from harness import registry
from harness.adaptation import carried
from harness.adaptation.method import trainable
from harness.cli import main
from harness.errors import EnvironmentFault, UserError
from harness.export.export import export
from harness.export.model import of
from harness.model import weights
from harness.model.source import Source
from tests.harness.model import test_trained

CLOSE = 1e-6  # relative to the largest value
MERGED = 1e-5  # folding sums in another order
UNEVEN = {
    "prefix": {"length": 3, "more": [{"towers": "text", "depth": [1], "length": 4}]},
    "adapter": {"width": 4, "more": [{"depth": [0], "width": 6}]},
    "dora": {"rank": 2, "more": [{"towers": "image", "depth": [1], "rank": 3, "alpha": 12.0}]},
    "vpt": {"length": 2, "towers": "both", "more": [{"towers": "text", "depth": [1], "length": 3}]},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "union": {"parts": ["lora", "s_prefix", {"l_adapter": {"reduction": 4}}, "ssf"]},
    "up_person": {"rank": 2, "length": 3, "depth": [1]},
    "lora": {"rank": 3, "targets": ["k", "fc1"], "scaling": "learned", "towers": "text"},
    **UNEVEN,
    "maple": {"depth": 2},
    "cskt": {"depth": 2},
}


def features(backbone, images, ids) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return backbone.image(images), backbone.text(ids)


def off(first, second) -> float:
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("merge", [False, True], ids=["reference", "merged"])
@pytest.mark.parametrize("name", registry.names("methods"))
def test_every_method_comes_back(name, merge, trained, inputs, tmp_path):
    model = trained(name, OPTIONS.get(name))
    given = inputs(model)
    before = features(model.backbone, *given)
    files = export(model, tmp_path / "out", "upbench", merge)
    source = Source(str(tmp_path / "out"))
    again = carried.load(source)
    assert off(before, features(again, *given)) < (MERGED if merge else CLOSE)
    assert not trainable(again)
    assert weights.shape(source) == model.backbone.shape and weights.pixels(source)["mean"] == (0.4, 0.5, 0.6)
    assert weights.lacking(source) is None
    left = {file.name for file in files}
    assert ("method.safetensors" in left) is not merge
    if merge and name in ("lora", "dora", "pissa", "ia3", "vera", "ssf", "fact", "rep_adapter", "full", "zero_shot"):
        assert left == {"open_clip_config.json", "open_clip_model.safetensors"}, "a backbone like any other"
    elif merge:
        assert "merged.safetensors" in left or "open_clip_model.safetensors" in left


@pytest.mark.parametrize("merge", [False, True], ids=["reference", "merged"])
def test_a_released_model_and_an_exported_one_are_exported_again(merge, tmp_path):
    """What `zero_shot` measured carries a method, which is the one that is written."""
    with np.load(test_trained.ORACLE / "tiny_a_io.npz") as file:
        given = {name: torch.from_numpy(file[name]).float() for name in file if "position" in name or "images" in name}
    (tmp_path / "sizes").mkdir()
    (tmp_path / "sizes" / "open_clip_config.json").write_text(json.dumps({"model_cfg": test_trained.CONFIG}))
    source = test_trained.saved(test_trained.released(given), tmp_path / "best.pth")
    before, ids = carried.load(source), torch.randint(1, 500, (6, 77), generator=torch.Generator().manual_seed(0))
    expected = features(before, given["images"], ids)
    for name in ("first", "second"):
        export(of(carried.load(source), source, "zero_shot", {}), tmp_path / name, "upbench", merge)
        source = Source(str(tmp_path / name))
        assert off(expected, features(carried.load(source), given["images"], ids)) < (MERGED if merge else CLOSE)
        assert carried.of(source).method == "up_person" and carried.of(source).options["rank"] == 4
    export(of(carried.load(source), source, "zero_shot", {}), tmp_path / "third", "upbench")
    assert off(expected, features(carried.load(Source(str(tmp_path / "third"))), given["images"], ids)) < MERGED
    assert (tmp_path / "third" / "merged.safetensors").is_file() is merge


def test_what_is_written_is_the_method_alone(trained, tmp_path):
    model = trained("lora")
    export(model, tmp_path / "out", "upbench")
    size = (tmp_path / "out" / "method.safetensors").stat().st_size
    assert size < 4 * 2 * model.made().parameters(model.backbone.shape)
    told = json.loads((tmp_path / "out" / "upbench.json").read_text())
    assert told["backbone"]["name"] == model.source.name and told["hash"] == weights.identity(model.source)
    assert (told["method"], told["options"]["rank"], told["backbone"]["image"]) == ("lora", 4, [64, 32])


def test_the_backbone_below_must_be_the_same(trained, tmp_path):
    model = trained("lora")
    export(model, tmp_path / "out", "upbench")
    before = weights.identity(Source(str(tmp_path / "out")))
    file = tmp_path / "backbone-4x2" / weights.FILE
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(
        EnvironmentFault, match=r"backbone\.name: the weights of .*backbone-4x2 are not those that .*out was"
    ):
        carried.load(Source(str(tmp_path / "out")))
    assert weights.identity(Source(str(tmp_path / "out"))) != before
    file.unlink()
    assert "weights are missing" in str(weights.lacking(Source(str(tmp_path / "out"))))


def test_another_trained_state_is_another_backbone(trained, tmp_path):
    names = set()
    for rank in (2, 4):
        export(trained("lora", {"rank": rank}), tmp_path / f"{rank}", "upbench")
        names.add(weights.identity(Source(str(tmp_path / f"{rank}"))))
    export(trained("lora", {"rank": 4}), tmp_path / "again", "upbench", merge=True)
    assert len(names | {weights.identity(Source(str(tmp_path / "again")))}) == 3


@pytest.mark.parametrize("merge", [False, True], ids=["reference", "merged"])
def test_the_command_says_what_a_folder_is(merge, trained, tmp_path, capsys):
    model = trained("up_person", {"rank": 2, "length": 3})
    export(model, tmp_path / "out", "upbench", merge)
    assert main.call(["weights", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["origin"].startswith("upbench, a method merged" if merge else "upbench, a method on ")
    assert told["method"]["name"] == "up_person" and told["method"]["options"]["rank"] == 2
    assert told["method"]["parameters"] == model.made().parameters(model.backbone.shape)
    assert (told["positions"], told["grid"], told["activation"]) == (8, "4x2", "quick_gelu")
    plain = model.backbone.shape.parameters
    # LoRA, 2 x (128 + 128 + 64 + 64) x 2 x 2 and 8 scalars, is no more there once it is folded.
    folded = 2 * 2 * 2 * (128 + 128 + 64 + 64) + 8
    assert told["used"] == plain + told["method"]["parameters"] - merge * folded


@pytest.mark.parametrize(
    "text",
    [
        '{"method": "lora"',
        '{"method": "lora"}',
        "[]",
        '{"method": "lora", "options": {}, "backbone": {"nome": "tiny"}}',
    ],
)
def test_a_damaged_folder_is_one_line(text, trained, tmp_path):
    export(trained("lora"), tmp_path / "out", "upbench")
    (tmp_path / "out" / "upbench.json").write_text(text)
    with pytest.raises(
        EnvironmentFault, match=r"cannot read .*upbench\.json: .*; expected a folder as it was exported"
    ):
        carried.load(Source(str(tmp_path / "out")))


def test_what_cannot_be_asked_is_one_line(trained, tmp_path):
    model = trained("lora")
    with pytest.raises(UserError, match=r"--as: no form 'openclip'; expected one of upbench, .* mean open_clip\?"):
        export(model, tmp_path / "x", "openclip")
    with pytest.raises(UserError, match="--merge: a peft folder holds an adapter"):
        export(model, tmp_path / "x", "peft", merge=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match=r"full: is there and not empty; expected a new folder"):
        export(model, tmp_path / "full", "upbench")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        export(model, tmp_path / "full" / "file" / "out", "upbench")
    with pytest.raises(UserError):
        export(trained("prefix"), tmp_path / "y", "open_clip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backbone-4x2", "full"], "nothing is left behind"
