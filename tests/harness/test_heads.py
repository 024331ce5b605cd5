"""The identity loss end to end: its classifier is built, counted, trained, and gone afterwards."""

from __future__ import annotations

import math

import pytest
import torch

from harness import heads, losses, material
from harness import trial as trips
from harness.errors import UserError
from harness.spec import Trial, recipe
from harness.store import Store

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
EMBED = 96  # of the backbone `tiny`


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def make(names=("sdm", "id"), **changes) -> Trial:
    values = {
        "method": "lora",
        "options": {"targets": ("k", "v")},
        "label": "lora",
        "budget": "2%",
        "dataset": TINY,
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short", "epochs": 1, "batch": 32, "losses": tuple(names)}),
        "selection": "last",
        "evaluate_on": (),
        "seed": 0,
        "device": "cpu",
        "threads": 1,
    } | changes
    return Trial(**values)


def test_the_classifier_is_counted_and_said_so(data):
    plain, with_id = trips.resolve(make(["sdm"]), data), trips.resolve(make(), data)
    persons = len(material.splits(TINY, data)["train"].persons)
    size = persons * EMBED + persons
    assert with_id.trial["heads"] == {"classifier": size} and "heads" not in plain.trial
    assert with_id.trained - plain.trained == with_id.total - plain.total == size
    assert with_id.share == pytest.approx(with_id.trained / with_id.total)
    assert with_id.target == plain.target and with_id.trial["options"] == plain.trial["options"]
    assert with_id.id != plain.id and with_id.hashes["code"] != plain.hashes["code"]
    half = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 12}}
    assert trips.resolve(make(dataset=half), data).trial["heads"] == {"classifier": 12 * (EMBED + 1)}
    zero = trips.resolve(make(method="zero_shot", options={}), data)
    assert "heads" not in zero.trial and zero.trained == 0


def test_the_classifier_is_trained_with_the_rest_and_not_saved(data, tmp_path, monkeypatch):
    made, build = [], heads.build

    def watched(*given):
        built = build(*given)
        made.append((built, {n: h.weight.detach().clone() for n, h in built.items()}))
        return built

    monkeypatch.setattr(heads, "build", watched)
    rows = {}
    for names in (["sdm"], ["sdm", "id"]):
        resolved = trips.resolve(make(names), data)
        store = Store(tmp_path / "-".join(names))
        assert trips.run(resolved.as_dict(), store.root, data) == "ok"
        entry = {"id": resolved.id, "trial": resolved.trial} | {"label": "lora", "method": "lora", "budget": "2%"}
        store.declare("s", {}, [entry | {"dataset": "synth_cuhk", "seed": 0}])
        rows[names[-1]] = store.read("s").trials.iloc[0]
    assert made[0][0] == {}
    (built, first) = made[1]
    assert set(built) == {"classifier"}
    assert not torch.equal(built["classifier"].weight, first["classifier"]) and built["classifier"].bias.any()
    assert rows["id"]["trained"] == trips.resolve(make(), data).trained > rows["sdm"]["trained"]
    assert rows["id"]["adapter_bytes"] == rows["sdm"]["adapter_bytes"]


def test_a_wrong_count_fails_the_trial(data, tmp_path):
    resolved = trips.resolve(make(), data).as_dict()
    resolved["trained"] -= 1
    assert trips.run(resolved, tmp_path, data) == "failed"


def test_the_first_weights_are_those_of_the_paper():
    """Small enough that every identity is as likely as any other: the loss starts at log(identities)."""
    built = heads.build({"classifier": 1}, 512, 3000, 0)["classifier"]
    assert built.weight.shape == (3000, 512) and not built.bias.any()
    assert float(built.weight.detach().std()) == pytest.approx(0.001, rel=0.01)
    assert abs(float(built.weight.detach().mean())) < 1e-5
    generator = torch.Generator().manual_seed(0)
    image, text = torch.randn(2, 8, 512, generator=generator)
    person = torch.arange(8)
    value = losses.compute(["id"], image, text, person, classifier=built)["id"]
    assert float(value.detach()) == pytest.approx(math.log(3000), abs=0.02)
    again, other = (heads.build(["classifier"], 512, 3000, seed)["classifier"].weight for seed in (0, 1))
    assert torch.equal(again, built.weight) and not torch.equal(other, built.weight)
    state = torch.get_rng_state()
    heads.build(["classifier"], 8, 8, 0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["sdn"], "recipe.losses: unknown loss 'sdn'; expected one of cmpm, id, itc, sdm, triplet; did you mean sdm?"),
        (["sdm", "mlm"], "loss 'mlm' cannot be trained: it needs a decoder"),
        (["sdm", "id", "sdm"], "loss 'sdm' is named twice"),
        ([], "no loss to train with"),
    ],
)
def test_losses_are_checked_before_anything_runs(data, names, words):
    with pytest.raises(UserError) as caught:
        trips.resolve(make(names), data)
    assert words in str(caught.value) and "\n" not in str(caught.value)
