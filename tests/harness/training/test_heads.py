"""Losses with modules of their own, end to end: these are built, counted, trained, and gone afterwards."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from harness.errors import UserError
from harness.store.store import Store
from harness.study.reading import load
from harness.training import heads, interaction, objective
from harness.trial import splits
from harness.trial.resolve import resolve
from harness.trial.run import run
from harness.trial.spec import Trial, recipe

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
EMBED, VOCABULARY = 96, 1471  # of the backbone `tiny`


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
    plain, with_id = resolve(make(["sdm"]), data), resolve(make(), data)
    persons = len(splits.splits(TINY, data)["train"].persons)
    size = persons * EMBED + persons
    assert with_id.trial["heads"] == {"classifier": size} and "heads" not in plain.trial
    assert with_id.trained - plain.trained == with_id.total - plain.total == size
    assert with_id.share == pytest.approx(with_id.trained / with_id.total)
    assert with_id.target == plain.target and with_id.trial["options"] == plain.trial["options"]
    assert with_id.id != plain.id and with_id.hashes["code"] != plain.hashes["code"]
    half = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 12}}
    assert resolve(make(dataset=half), data).trial["heads"] == {"classifier": 12 * (EMBED + 1)}
    zero = resolve(make(method="zero_shot", options={}), data)
    assert "heads" not in zero.trial and zero.trained == 0


def test_the_classifier_is_trained_with_the_rest_and_not_saved(data, tmp_path, monkeypatch):
    made, build = [], heads.build

    def watched(*given):
        built = build(*given)
        made.append((built, copy.deepcopy(built)))
        return built

    monkeypatch.setattr(heads, "build", watched)
    rows = {}
    for names in (["sdm"], ["sdm", "id"], ["sdm", "mlm"]):
        resolved = resolve(make(names), data)
        store = Store(tmp_path / "-".join(names))
        assert run(resolved.as_dict(), store.root, data) == "ok"
        entry = {"id": resolved.id, "trial": resolved.trial} | {"label": "lora", "method": "lora", "budget": "2%"}
        store.declare("s", {}, [entry | {"dataset": "synth_cuhk", "seed": 0}])
        rows[names[-1]] = store.read("s").trials.iloc[0]
    assert made[0][0] == {}
    (built, first) = made[1]
    assert set(built) == {"classifier"}
    assert not torch.equal(built["classifier"].weight, first["classifier"].weight) and built["classifier"].bias.any()
    built, first = made[2]
    assert set(built) == {"interaction", "mlm_head"}
    for name, module in built.items():
        before = dict(first[name].named_parameters())
        still = [part for part, p in module.named_parameters() if torch.equal(p, before[part])]
        assert still in ([], ["cross_attn.k.bias", *(f"cross_blocks.{k}.attn.k.bias" for k in range(4))])
    assert rows["id"]["trained"] == resolve(make(), data).trained > rows["sdm"]["trained"]
    assert rows["mlm"]["trained"] - rows["sdm"]["trained"] == sum(interaction.parameters(EMBED, VOCABULARY, 4).values())
    assert rows["id"]["adapter_bytes"] == rows["mlm"]["adapter_bytes"] == rows["sdm"]["adapter_bytes"]


def test_a_wrong_count_fails_the_trial(data, tmp_path):
    resolved = resolve(make(), data).as_dict()
    resolved["trained"] -= 1
    assert run(resolved, tmp_path, data) == "failed"


def test_the_first_weights_are_those_of_the_paper():
    """Small enough that every identity is as likely as any other: the loss starts at log(identities)."""
    built = heads.build({"classifier": 1}, 512, 3000, 0, 9, 1)["classifier"]
    assert built.weight.shape == (3000, 512) and not built.bias.any()
    assert float(built.weight.detach().std()) == pytest.approx(0.001, rel=0.01)
    assert abs(float(built.weight.detach().mean())) < 1e-5
    generator = torch.Generator().manual_seed(0)
    image, text = torch.randn(2, 8, 512, generator=generator)
    person = torch.arange(8)
    value = objective.compute(["id"], image, text, person, classifier=built)["id"]
    assert float(value.detach()) == pytest.approx(math.log(3000), abs=0.02)
    again, other = (heads.build(["classifier"], 512, 3000, seed, 9, 1)["classifier"].weight for seed in (0, 1))
    assert torch.equal(again, built.weight) and not torch.equal(other, built.weight)
    state = torch.get_rng_state()
    heads.build(["classifier"], 8, 8, 0, 9, 1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("names", "line", "words"),
    [
        ("[sdn]", 8, "recipe.losses.0: input should be 'cmpm', 'id', 'itc', 'mlm', 'sdm', 'tal' or 'triplet', got"),
        ("[sdm,\n    mlmm]", 9, "recipe.losses.1: input should be"),
        ("[sdm, id, sdm]", 6, "loss 'sdm' is named twice"),
        ("[]", 8, "recipe.losses: tuple should have at least 1 item"),
    ],
)
def test_wrong_losses_are_named_with_their_line(tmp_path, names, line, words):
    path = tmp_path / "study.yaml"
    head = "name: x\nbackbone: tiny\ndatasets: [synth_cuhk]\nmethods: [full]\nseeds: [0]\n"
    path.write_text(f"{head}recipe:\n  name: short\n  losses: {names}\n")
    with pytest.raises(UserError) as caught:
        load(path)
    assert words in str(caught.value) and f"study.yaml:{line}: " in str(caught.value)


def test_irra_is_full_fine_tuning_with_its_three_losses(data, tmp_path):
    trial = make(
        method="full", options={}, label="full", budget=None, selection="last",
        dataset={"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 5}},
        recipe=recipe({"name": "irra", "epochs": 2, "batch": 16, "warmup_epochs": 0, "lr": 1e-4}),
    )  # fmt: skip
    resolved = resolve(trial, data)
    sizes = interaction.parameters(EMBED, VOCABULARY, 4) | {"classifier": 5 * (EMBED + 1)}
    assert resolved.trial["heads"] == sizes
    store = Store(tmp_path)
    assert run(resolved.as_dict(), store.root, data) == "ok"
    entry = {"id": resolved.id, "trial": resolved.trial} | {"label": "full", "method": "full", "budget": None}
    store.declare("s", {}, [entry | {"dataset": "synth_cuhk", "seed": 0}])
    found = store.read("s")
    assert found.trials.iloc[0]["trained"] == resolved.trained == found.trials.iloc[0]["total"]
    losses_of = found.history["loss"].dropna().tolist()
    assert losses_of[1] < losses_of[0]
