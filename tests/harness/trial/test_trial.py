"""A trial's whole trip on real files: identity, training, choice, the one look at test, the committed row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from harness.store.store import Store
from harness.trial import run as running
from harness.trial import splits
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe
from harness.trial.stages import TrialRun

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def make(**changes) -> Trial:
    values = {
        "method": "lora",
        "options": {"targets": ("k", "v")},
        "label": "lora",
        "budget": "2%",
        "dataset": TINY,
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short", "epochs": 2, "batch": 32}),
        "selection": "val",
        "evaluate_on": (),
        "seed": 0,
        "device": "cpu",
        "threads": 1,
    } | changes
    return Trial(**values)


def run(trial, data, tmp_path, events=None):
    resolved = resolve(trial, data)
    store = Store(tmp_path / "store")
    status = running.run(resolved.as_dict(), store.root, data, (events if events is not None else []).append)
    store.declare(
        "s",
        {},
        [
            {
                "id": resolved.id,
                "label": trial.label,
                "method": trial.method,
                "budget": trial.budget,
                "dataset": "synth_cuhk",
                "seed": trial.seed,
                "trial": resolved.trial,
            }
        ],
    )
    return resolved, status, store.read("s")


def test_the_whole_trip(data, tmp_path):
    events = []
    resolved, status, results = run(make(), data, tmp_path, events)
    assert status == "ok"
    row = results.trials.iloc[0]
    assert row["trained"] == resolved.trained and row["trained"] <= row["budget_parameters"]
    assert row["share"] == pytest.approx(row["trained"] / row["total"])
    assert row["steps"] == 2 * -(-len(splits.splits(TINY, data)["train"].captions) // 32)
    assert row["resumes"] == 0 and row["truncated"] == 0
    assert row["flops_backward"] > 0 and row["adapter_bytes"] > 4 * row["trained"]
    assert row["peak_memory_train"] > 0 and row["micro_batch"] == 32
    assert [e["epoch"] for e in events] == [1, 2] and set(results.history["epoch"]) == {0, 1, 2}

    scores = results.scores.set_index(["split", "direction", "metric"])["value"]
    assert set(results.scores["choice"]) == {"selected"}
    chosen = results.history.set_index("epoch").loc[row["chosen_epoch"]]
    assert chosen["val_R1"] == results.history["val_R1"].max() == scores["val", "t2i", "R1"]
    each = results.queries[results.queries["direction"] == "t2i"]
    assert 100 * np.mean(each["first"] <= 1) == pytest.approx(scores["test", "t2i", "R1"])
    assert 100 * each["ap"].mean() == pytest.approx(scores["test", "t2i", "mAP"], rel=1e-5)
    assert 100 * each["inp"].mean() == pytest.approx(scores["test", "t2i", "mINP"], rel=1e-5)
    assert len(each) == len(splits.splits(TINY, data)["test"].captions)


def test_the_same_trial_gives_the_same_bits_and_another_seed_others(data, tmp_path):
    def numbers(name, **changes):
        results = run(make(**changes), data, tmp_path / name)[2]
        return results.history["loss"].tolist()[1:], results.scores["value"].tolist()

    first = numbers("a")
    assert first == numbers("b")
    torch.rand(7)
    assert first == numbers("c")
    assert first[0] != numbers("d", seed=1)[0]


def test_identity_depends_on_what_decides_and_on_nothing_else(data, tmp_path):
    own = resolve(make(), data).id
    assert resolve(make(label="another name"), data).id == own
    assert resolve(make(budget="2.0%"), data).id == own
    for changes in (
        {"seed": 1},
        {"budget": "3%"},
        {"selection": "last"},
        {"recipe": recipe({"name": "short", "epochs": 3, "batch": 32})},
        {"dataset": {"dataset": "synth_cuhk", "options": {"size": "tiny", "seed": 1}}},
        {"options": {"targets": ("q", "v")}},
        {"threads": 2},
    ):
        assert resolve(make(**changes), data).id != own, changes


def test_what_trains_nothing_has_one_trial(data):
    ids = {
        resolve(make(method="zero_shot", options={}, seed=s, budget=b), data).id for s in (0, 1) for b in (None, "2%")
    }
    assert len(ids) == 1


def test_infeasible_is_a_row_without_numbers(data, tmp_path):
    resolved, status, results = run(make(budget="10"), data, tmp_path)
    assert resolved.status == status == "infeasible"
    row = results.trials.iloc[0]
    assert pd.isna(row["trained"]) and "smallest setting trains" in row["reason"] and results.scores.empty


def test_a_diverged_trial_is_a_row_that_says_where(data, tmp_path):
    recipe_ = recipe({"name": "short", "epochs": 2, "batch": 32, "lr": 1e30, "warmup_epochs": 0})
    _, status, results = run(make(method="full", options={}, budget=None, recipe=recipe_), data, tmp_path)
    assert status == "diverged"
    reason = results.trials.iloc[0]["reason"]
    assert "step" in reason and results.scores.empty
    batch = [int(word) for word in reason.split("captions of its batch: ")[1].split()]
    known = len(splits.splits(TINY, data)["train"].captions)
    assert len(set(batch)) == 32 and all(0 <= index < known for index in batch)


def test_a_failed_trial_is_a_row_with_the_reason(data, tmp_path):
    recipe_ = recipe({"name": "short", "epochs": 1, "batch": 512, "sampler": "identity"})
    _, status, results = run(make(recipe=recipe_), data, tmp_path)
    assert status == "failed" and "a batch of 128 identities" in results.trials.iloc[0]["reason"]


def test_selection_last_and_oracle_are_labelled(data, tmp_path):
    for selection, label in (("last", "last"), ("test-oracle", "oracle")):
        results = run(make(selection=selection), data, tmp_path / label)[2]
        assert set(results.scores["choice"]) == {label}
        assert set(results.scores["split"]) == {"test"}
    assert results.history["val_R1"].isna().all()


def test_other_data_sets_are_measured_with_the_chosen_epoch(data, tmp_path, monkeypatch):
    other = {"dataset": "synth_rstp", "options": {"size": "tiny"}}
    looks, look = [], TrialRun._evaluate

    def told(trip, name, of=None, seen=None):
        looks.append((name, (of or trip.trial["dataset"])["dataset"]))
        return look(trip, name, of, seen)

    monkeypatch.setattr(TrialRun, "_evaluate", told)
    results = run(make(evaluate_on=(TINY, other)), data, tmp_path)[2]
    # Nothing of the other set is seen before the epoch is chosen, and of both tests each is seen once.
    assert looks == [("val", "synth_cuhk")] * 3 + [("test", "synth_cuhk"), ("test", "synth_rstp")]
    assert not results.scores.duplicated(["dataset", "split", "direction", "metric"]).any(), "home is measured once"
    assert set(results.scores.query("split == 'test'")["dataset"]) == {"synth_cuhk", "synth_rstp"}


def test_the_whole_of_a_subset_is_no_other_data_set(data, tmp_path):
    """A fraction cuts train alone: val and test of the whole are those that are measured anyway, once."""
    half = {"dataset": "synth_cuhk", "options": {"size": "tiny", "fraction": "50%"}}
    scores = run(make(method="zero_shot", options={}, dataset=half, evaluate_on=(TINY,)), data, tmp_path)[2].scores
    test = scores[(scores["split"] == "test") & (scores["direction"] == "t2i")]
    assert not test.duplicated(["dataset", "metric"]).any() and len(test)


def test_the_training_data_set_with_other_options_is_another_one(data, tmp_path):
    """Its scores stand under a label of their own, with the numbers that it has as anybody's home."""
    other = {"dataset": "synth_cuhk", "options": {"size": "tiny", "seed": 1}}
    again = {"dataset": "synth_cuhk", "options": {"seed": 1, "size": "tiny", "fraction": "50%"}}
    plain = {"method": "zero_shot", "options": {}}
    both = run(make(**plain, evaluate_on=(other, TINY, again)), data, tmp_path / "both")[2]
    assert (
        both.trials["dataset"].tolist() == ["synth_cuhk"]
        and not both.scores.duplicated(["dataset", "split", "direction", "metric"]).any()
    )
    alone = {"synth_cuhk": TINY, "synth_cuhk (seed 1)": other}
    assert set(both.scores["dataset"]) == set(both.queries["dataset"]) == set(alone) == set(both.measured_on)
    for label, dataset in alone.items():
        found = run(make(**plain, dataset=dataset), data, tmp_path / label)[2]
        for table, columns in (("scores", ["direction", "metric", "value"]), ("queries", ["query", "person", "first"])):
            one, two = (
                of[(of["dataset"] == name) & (of["split"] == "test")][columns].reset_index(drop=True)
                for of, name in ((getattr(both, table), label), (getattr(found, table), "synth_cuhk"))
            )
            pd.testing.assert_frame_equal(one, two)
