"""The studies of released models, on drawn data, with small files in the form that each is released in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from harness import registry
from harness.adaptation.method import trainable
from harness.cli import main
from harness.evaluation.encode import Measured
from harness.model import weights
from harness.model.clip import Backbone
from harness.model.names import theirs
from harness.model.weights import Source
from harness.store.store import Store
from harness.study.reading import load
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader
from tests.methods import test_oracle

ROOT = Path(__file__).parents[2] / "studies" / "released"
NAMES = sorted(path.stem for path in ROOT.glob("*.yaml"))
SETS = ("cuhk_pedes", "icfg_pedes", "rstpreid")
SOURCE = Source("tiny")


def test_each_released_model_has_its_study():
    assert NAMES == ["clip_b16", "clip_l14", "irra", "mllm4text", "rde", "up_person"]


@pytest.mark.parametrize("name", NAMES)
def test_a_head_says_protocol_and_files_and_nothing_is_trained(name):
    text, study = (ROOT / f"{name}.yaml").read_text(), load(ROOT / f"{name}.yaml")
    head = text.split("\nname:")[0]
    assert all(re.search(rf"^# {word}", head, re.M) for word in ("Question:", "Command:", "Cost:", "Files:", "Expect:"))
    assert f"upbench run released/{name} && upbench report {study.name}" in head
    assert re.search(r"paper|thesis", head.split("# Expect:")[1])
    assert [entry.method for entry in study.methods] == ["zero_shot"] and [d.dataset for d in study.datasets] == [*SETS]
    assert study.backbone.image == ((378, 126) if name == "clip_l14" else (384, 128))
    if not name.startswith("clip"):
        assert study.backbone.trained_at == (384, 128) and study.backbone.pretrained.startswith("weights/")


def small(seed: int, method: str | None = None) -> Backbone:
    """The shipped backbone with noise, so that each data set has a model of its own, and perhaps a method."""
    backbone = weights.load(SOURCE)
    generator = torch.Generator().manual_seed(seed)
    if method:
        registry.find("methods", method).Method(rank=4, length=3).attach(backbone)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return backbone.eval()


def released(name: str, backbone: Backbone) -> dict[str, object]:
    """A file as the training code of a released model saves it."""
    method = {test_oracle.theirs(key): value.detach() for key, value in trainable(backbone).items()}
    bare = {key.replace(".frozen.", "."): value for key, value in backbone.state_dict().items()}
    plain = {key: bare[key] for key in Backbone(backbone.shape).state_dict()}
    whole = {f"base_model.{key}": value for key, value in theirs(plain, 4.6).items()} | method
    heads = {"irra": "classifier.weight", "rde": "visul_emb_layer.fc.weight", "mllm4text": "mlm_head.fc.weight"}
    if name in heads:
        whole[heads[name]] = torch.zeros(7, 96)
    return {"model": whole, "optimizer": {"state": {}}, "scheduler": {"last_epoch": 59}, "epoch": 60}


def measured(backbone: Backbone, data: Path, dataset: str) -> Measured:
    """What the model in memory scores on a drawn test split."""
    loader = Loader(SOURCE, Recipe(name="none", epochs=0), 0, torch.device("cpu"))
    return loader.evaluate(backbone, splits.part({"dataset": dataset, "options": {}}, data, "test", SOURCE))[0]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("clip")])
def test_files_of_the_released_form_score_what_they_score_in_memory(name, licensed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    method = "up_person" if name == "up_person" else None
    models = {dataset: small(seed, method) for seed, dataset in enumerate(SETS)}
    one = name == "mllm4text"  # for all data sets
    for dataset in SETS[:1] if one else SETS:
        file = tmp_path / (f"weights/{name}.pth" if one else f"weights/{name}/{dataset}.pth")
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(released(name, models[dataset]), file)
    # The small backbone's sizes; its images are 96x32, and so is the position table of the files.
    size = ["--set", "backbone.name=tiny", "--set", "backbone.image=null", "--set", "backbone.trained_at=[96, 32]"]
    places = ["--data", str(licensed), "--store", str(tmp_path / "store")]
    assert main.call(["run", str(ROOT / f"{name}.yaml"), "--executor", "serial", *places, *size]) == 0, (
        capsys.readouterr()
    )
    found = Store(tmp_path / "store").read(f"released-{name}")
    assert set(found.trials["status"]) == {"ok"} and (found.trials["trained"] == 0).all()
    scores = found.scores[(found.scores["split"] == "test") & (found.scores["direction"] == "t2i")]
    homes = found.trials.set_index("id")["dataset"]
    across = name in ("irra", "rde")
    assert len(scores[scores["metric"] == "R1"]) == (9 if across else 3)
    for dataset in SETS:
        own = scores[(scores["id"].map(homes) == dataset) & (scores["dataset"] == dataset)].set_index("metric")["value"]
        expected = measured(models[SETS[0] if one else dataset], licensed, dataset)
        assert own["R1"] == pytest.approx(expected.values["R1"]) and own["mAP"] == pytest.approx(expected.values["mAP"])


def test_a_file_that_is_not_there_is_one_line(licensed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = ["--data", str(licensed), "--store", str(tmp_path / "store")]
    assert main.call(["plan", "released/irra", "--no-probe", *places]) == 2
    err = capsys.readouterr().err
    assert "has no weights 'weights/irra/cuhk_pedes.pth'; expected a file or one of openai" in err
