"""Every value of a trial does what it is there for; the fields come from the classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.adaptation.method import state
from harness.model import half_precision, weight_files, weights
from harness.model.weights import Source
from harness.store.store import Record
from harness.training import heads
from harness.trial import row as columns
from harness.trial.resolve import resolve
from harness.trial.spec import Backbone, Data, Trial, recipe
from harness.trial.stages import TrialRun

DATA = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 4}}
RECIPE = {"name": "short", "epochs": 1, "batch": 8, "losses": ("sdm", "id")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def make(**changes) -> Trial:
    values = {
        **{"method": "lora", "options": {}, "label": "a", "budget": None, "dataset": DATA, "evaluate_on": ()},
        **{"backbone": {"name": "tiny"}, "selection": "val", "seed": 0, "device": "cpu", "threads": 1},
        "recipe": recipe(RECIPE),
    }
    return Trial(**{**values, **changes})


def prepared(data, **changes) -> TrialRun:
    """A trial before its first step."""

    class Keeper:
        def load(self):
            return None

    resolved = resolve(make(**changes), data).as_dict()
    record = Record(trial=columns.known(resolved), scores=[], history=[], queries=[])
    trip = TrialRun(resolved, Path(data), record, lambda _: None, lambda: False, Keeper())
    trip._prepare()
    return trip


def first(trip: TrialRun, epoch: int = 0) -> tuple[list[int], torch.Tensor]:
    batch = next(iter(trip.batches(epoch)))
    return batch.index.tolist(), trip.loader.prepare(batch, epoch)[0].clone()


def test_the_seed_is_that_of_the_start_the_heads_the_order_the_augmentation_and_the_modules(data):
    one, again, other = (prepared(data, seed=seed) for seed in (0, 0, 1))
    starts = [state(trip.backbone) for trip in (one, again, other)]
    names = [name for name in starts[0] if name.endswith(".a")]
    assert names and all(torch.equal(starts[0][name], starts[1][name]) for name in names)
    assert not any(torch.equal(starts[0][name], starts[2][name]) for name in names), "the start of the method"
    classifiers = [trip.training.modules["classifier"].weight for trip in (one, again, other)]
    assert torch.equal(*classifiers[:2]) and not torch.equal(classifiers[0], classifiers[2]), "the start of heads"
    orders, images = zip(*map(first, (one, again, other)), strict=True)
    assert orders[0] == orders[1] != orders[2], "the order"
    batch = next(iter(one.batches(0)))
    assert torch.equal(*images[:2])
    assert not torch.equal(one.loader.prepare(batch, 0)[0], other.loader.prepare(batch, 0)[0]), "the augmentation"
    drawn = []
    for trip in (one, again, other):
        trip.training._seed()
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1] != drawn[2], "what modules draw"


@pytest.mark.parametrize("name", ["classifier", "interaction", "mlm_head"])
def test_every_head_starts_by_the_seed(name):
    one, again, other = (heads.build([name], 8, 4, seed, 20, 1)[name].state_dict() for seed in (0, 0, 1))
    drawn = [key for key, value in one.items() if value.numel() > 1 and value.std() > 0]
    assert drawn and all(torch.equal(one[key], again[key]) for key in one)
    assert not any(torch.equal(one[key], other[key]) for key in drawn)


def test_threads_are_those_of_torch(data):
    try:
        prepared(data, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_the_device_is_where_everything_is_put(data, monkeypatch):
    placed, place = [], half_precision.place
    monkeypatch.setattr(half_precision, "place", lambda b, device, how: placed.append(device) or place(b, device, how))
    trip = prepared(data)
    assert placed == [torch.device("cpu")] == [trip.loader.device]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve(make(device="auto"), data).trial["device"] == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve(make(device="auto"), data).trial["device"] == "cpu"


def test_method_options_and_budget_decide_what_is_trained(data):
    plain = resolve(make(), data)
    assert resolve(make(method="adapter"), data).trained != plain.trained
    assert resolve(make(options={"rank": 7}), data).trained > plain.trained
    assert resolve(make(budget="3%"), data).trained > resolve(make(budget="1%"), data).trained


def test_label_and_what_was_tuned_are_in_the_row_and_decide_nothing(data):
    plain = resolve(make(), data)
    for field, value in (("label", "b"), ("tuned", {"points": 3})):
        other = resolve(make(**{field: value}), data)
        assert columns.known(other.as_dict())[field] == value and other.id == plain.id


def test_the_data_set_and_its_options_decide_what_is_read(data):
    sizes = {len(prepared(data, dataset={"dataset": name, "options": options}).part.ids)
             for name, options in (("synth_cuhk", {"size": "tiny", "identities": 4}),
                                   ("synth_cuhk", {"size": "tiny", "identities": 5}),
                                   ("synth_rstp", {"size": "tiny", "identities": 6}))}  # fmt: skip
    assert len(sizes) == 3


def features(**changes) -> torch.Tensor:
    source = Source(**{"name": "tiny", **changes})
    height, width = weights.pixels(source)["size"]
    images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return weights.load(source).image(images)


BACKBONES = {
    "name": [],
    "pretrained": [],
    "image": [({"image": (48, 32)}, {})],
    "resize": [({"image": (48, 32), "resize": "bicubic"}, {"image": (48, 32)})],
    "trained_at": [({"trained_at": (48, 64)}, {})],
    "activation": [({"activation": "gelu"}, {}), ({"activation": "gelu"}, {"activation": "quick_gelu"})],
}


@pytest.mark.parametrize(("changes", "base"), [row for rows in BACKBONES.values() for row in rows])
def test_a_field_of_the_backbone_changes_its_features(changes, base):
    assert not torch.equal(features(**changes), features(**base))


def test_name_and_weights_of_the_backbone_are_read(tmp_path):
    with torch.no_grad():
        other = tmp_path / "other.pt"
        whole = weight_files.form(weights._file(Source("tiny"))).state
        torch.save({name: value * 1.5 for name, value in whole.items()}, other)
    assert not torch.equal(features(pretrained=str(other)), features())
    assert weights.shape(Source("ViT-B-32")) != weights.shape(Source("ViT-B-16"))


def test_a_backbone_that_was_trained_leaves_the_next_one_as_it_was_read():
    first = weights.load(Source("tiny"))
    before = {name: value.clone() for name, value in first.state_dict().items()}
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1.0)
    after = weights.load(Source("tiny")).state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


# `selection`, `phase` and what val and test are for: test_clean_choice.py; `evaluate_on`: test_trial.py; `keep`: kept/.
SEEN = {"method", "options", "label", "budget", "dataset", "backbone", "seed", "device", "threads", "tuned"}
ELSEWHERE = {"recipe", "selection", "phase", "evaluate_on", "keep"}


def test_every_field_is_looked_at():
    assert set(Trial.model_fields) == SEEN | ELSEWHERE and set(BACKBONES) == set(Backbone.model_fields)
    assert set(Data.model_fields) == {"dataset", "options"}
