"""`upbench export` of a kept model: loaded again it scores what its trial scored, elsewhere it gives its features."""

from __future__ import annotations

import json
import math
from pathlib import Path

import open_clip
import pytest
import torch

import upbench
from harness.adaptation import carried
from harness.cli import main
from harness.errors import UserError
from harness.model.weights import Source
from harness.store.store import Store
from harness.trial.kept import model
from tests.harness.trial.kept.trials import make, trained

CHANGES = {
    "lora": {"method": "lora", "selection": "last"},
    "up_person": {"method": "up_person", "options": {"rank": 2, "length": 2}, "selection": "last"},
    "zero_shot": {"method": "zero_shot"},
    "none": {"method": "bitfit", "selection": "last"},  # trains the backbone's own weights, which are not kept unasked
}
STUDY = """
name: again
backbone: {name: OUT}
datasets: [{synth_cuhk: {size: tiny, identities: 8}}]
methods: [zero_shot]
seeds: [0]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def ids(place) -> dict[str, str]:
    """Ids of trained trials by name."""
    store = Store(place / "store")
    return {name: trained(make(**changes), store, place / "data").id for name, changes in CHANGES.items()}


def call(place: Path, *words: str) -> int:
    return main.call(["export", *words, "--store", str(place / "store")])


def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 1400, (3, 77), generator=generator)
    ids[:, 0], ids[:, 20], ids[:, 21:] = 1469, 1470, 0
    return torch.randn(3, 3, 96, 32, generator=generator), ids


def features(backbone) -> list[torch.Tensor]:
    with torch.no_grad():
        return [tower(part) for tower, part in zip(backbone.towers, pairs(), strict=True)]


@pytest.mark.parametrize("merge", [False, True], ids=["reference", "merged"])
@pytest.mark.parametrize("name", ["lora", "up_person", "zero_shot"])
def test_loaded_again_it_is_the_model_of_the_trial(name, merge, ids, place, tmp_path, capsys):
    words = [ids[name][:8], str(tmp_path / "out"), "--as", "upbench", "--json", *(["--merge"] if merge else [])]
    assert call(place, *words) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(Path(file).stat().st_size == size for file, size in told["files"].items()) and told["form"] == "upbench"
    expected = features(model.load(Store(place / "store"), ids[name]))
    for own, other in zip(features(carried.load(Source(str(tmp_path / "out")))), expected, strict=True):
        assert (own - other).abs().max() < 1e-5 * other.abs().max()
    if not merge:
        assert json.loads((tmp_path / "out" / "upbench.json").read_text())["trial"] == ids[name]


def test_a_study_measures_what_the_trial_measured(ids, place, tmp_path):
    assert call(place, ids["up_person"], str(tmp_path / "out"), "--as", "upbench") == 0
    (tmp_path / "again.yaml").write_text(STUDY.replace("OUT", str(tmp_path / "out")))
    places = ["--data", str(place / "data"), "--store", str(tmp_path / "store")]
    assert main.call(["run", str(tmp_path / "again.yaml"), "--executor", "serial", *places]) == 0
    key = ["split", "direction", "metric"]
    again = Store(tmp_path / "store").read("again").scores.set_index(key)["value"]
    before = Store(place / "store").measured([ids["up_person"]])["scores"]
    before = before[before["split"] == "test"].set_index(key)["value"]
    assert len(before) and all(again[at] == value for at, value in before.items())
    (tmp_path / "again.yaml").write_text(STUDY.replace("OUT", str(tmp_path / "out")).replace("zero_shot", "lora"))
    assert main.call(["plan", str(tmp_path / "again.yaml"), "--no-probe", *places]) == 2


def test_open_clip_has_its_features_and_the_temperature_it_was_trained_at(ids, place, tmp_path):
    assert call(place, ids["lora"], str(tmp_path / "out"), "--as", "open_clip") == 0
    theirs = open_clip.create_model(f"local-dir:{tmp_path / 'out'}").eval()
    (image, text), (images, words) = features(model.load(Store(place / "store"), ids["lora"])), pairs()
    with torch.no_grad():
        assert (theirs.encode_image(images) - image).abs().max() < 1e-5
        assert (theirs.encode_text(words) - text).abs().max() < 1e-5
    temperature = json.loads(Store(place / "store").measured([ids["lora"]])["trials"]["spec"].iloc[0])["recipe"][
        "temperature"
    ]
    assert float(theirs.logit_scale.detach()) == pytest.approx(math.log(1 / temperature))


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["up_person", "--as", "open_clip"], "--as: open_clip has no place for a prefix in attention of up_person", 2),
        (["lora", "--as", "huggingface"], "huggingface has no place for images of 96x32: a CLIPModel's are square", 2),
        (["lora", "--as", "peft", "--merge"], "--merge: a peft folder holds an adapter", 2),
        (["lora", "--as", "onnx"], "'onnx' is not one of 'upbench', 'open_clip', 'huggingface', 'peft'", 2),
        (["none", "--as", "upbench"], "was not kept", 2),
        (["f00d", "--as", "upbench"], "no trial 'f00d'; expected upbench status STUDY", 2),
        (["", "--as", "upbench"], "no trial ''", 2),
    ],
)
def test_what_cannot_be_is_one_line(words, said, code, ids, place, tmp_path, capsys):
    assert call(place, ids.get(words[0], words[0]), str(tmp_path / "out"), *words[1:]) == code
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_digits_that_several_trials_begin_with(ids):
    class Some:
        root = "store"

        def ids(self) -> set[str]:
            return {"ab12", "ab2", "c"}

    assert model.whole(Some(), "ab1") == "ab12"
    with pytest.raises(UserError, match="store: 2 trials begin with 'ab': ab12, ab2; expected more digits"):
        model.whole(Some(), "ab")


def test_it_is_used_from_python(ids, place, tmp_path):
    files = upbench.export(ids["up_person"][:8], tmp_path / "out", "upbench", store=place / "store")
    assert {file.name for file in files} >= {"upbench.json", "method.safetensors"}
    loaded = upbench.load(tmp_path / "out", device="cpu")
    expected = features(model.load(Store(place / "store"), ids["up_person"]))
    for own, other in zip(features(loaded.backbone), expected, strict=True):
        assert (own - other).abs().max() < 1e-5 * other.abs().max()
