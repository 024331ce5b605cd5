"""Kept models: what is kept, of which epoch, under whose name, and that it computes what the trial measured."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save

from harness.errors import DataError, EnvironmentFault, Preempted, UserError
from harness.measured_on import MeasuredOn
from harness.model import weights
from harness.model.weights import Source
from harness.store.store import Record, Store
from harness.training.recipe import Recipe
from harness.trial import run as running
from harness.trial import splits
from harness.trial.kept import model
from harness.trial.kept.attached import source_of
from harness.trial.loader import Loader
from harness.trial.resolve import resolve
from tests.harness.trial.kept.trials import CHANGES, make


@pytest.mark.parametrize("name", CHANGES)
def test_a_loaded_model_measures_what_its_trial_measured(kept, name):
    ident, trial = kept.trials[name].id, kept.trials[name].trial
    backbone = model.load(kept.store, ident)
    loader = Loader(source_of(trial), Recipe(**trial["recipe"]), trial["seed"], torch.device("cpu"))
    found = kept.store.measured([ident], ("scores", "queries"))
    scores, queries = found["scores"].set_index(["split", "direction", "metric"])["value"], found["queries"]
    for split in set(found["scores"]["split"]):
        part = splits.part(trial["dataset"], kept.data, split, source_of(trial))
        for direction, measured in zip(("t2i", "i2t"), loader.evaluate(backbone, part), strict=True):
            for metric, value in measured.values.items():
                if value is not None:
                    assert scores[split, direction, metric] == value, (split, direction, metric)
            if split == "test" and direction == "t2i":
                rows = queries[queries["direction"] == direction]
                assert [rank for ranks in rows["ranks"] for rank in ranks] == measured.ranks.tolist()


def test_the_file_says_whose_it_is_and_holds_what_the_method_trained(kept):
    one = kept.trials["chosen"]
    read = model.read(kept.store, one.id)
    row = kept.store.measured([one.id], ("trials",))["trials"].iloc[0]
    assert 0 < row["chosen_epoch"] < row["epochs"] and read.about["chosen_epoch"] == row["chosen_epoch"]
    assert read.about["trial"] == one.id and read.about["hashes"] == one.hashes
    assert read.about["options"] == one.trial["options"] and read.about["backbone"] == one.trial["backbone"]
    assert read.about["dataset"] == MeasuredOn.of(one.trial["dataset"], "train").text != "synth_cuhk"
    assert (read.about["method"], read.about["budget"], read.about["torch"]) == ("lora", None, torch.__version__)
    names = model.load(kept.store, one.id).named_parameters()
    assert set(read.tensors) == {name for name, parameter in names if parameter.requires_grad}
    count = sum(value.numel() for value in read.tensors.values())
    heads = sum(one.trial["heads"].values())
    assert heads and count == one.trained - heads == read.about["parameters"] == model.size(one.as_dict()) / 4


def test_the_study_decides_what_is_kept_and_changes_no_trial(kept):
    def asked(**changes) -> bool:
        return model.wanted(resolve(make(**changes), kept.data).as_dict())

    kinds = [asked(method=m, keep=k) for m in ("lora", "full", "zero_shot") for k in ("adapters", "all", "none")]
    assert kinds == [True, True, False, False, True, False, False, False, False]
    assert asked() and not asked(phase="tuning")
    assert not asked(method="lora", budget="10")  # infeasible
    assert len({resolve(make(keep=keep), kept.data).id for keep in ("adapters", "all", "none")}) == 1
    sizes = kept.store.models(one.id for one in kept.trials.values())
    assert set(sizes) == {one.id for name, one in kept.trials.items() if name != "zero_shot"}
    for one in kept.trials.values():
        assert one.id not in sizes or 0 < sizes[one.id] - model.size(one.as_dict()) < 0.2 * sizes[one.id]


def test_a_trial_that_was_left_keeps_the_same_bytes_once(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.trial.checkpoint.GAP_SECONDS", 0.0)
    one, store, steps = kept.trials["chosen"], Store(tmp_path / "store"), iter(range(10**6))
    with pytest.raises(Preempted):
        running.run(one.as_dict(), store.root, kept.data, stop=lambda: next(steps) > 8)
    assert not store.ids() and list(store.root.rglob("*.safetensors")), "its checkpoint alone"
    assert running.run(one.as_dict(), store.root, kept.data) == "ok"
    assert store.measured([one.id])["trials"]["resumes"].tolist() == [1]
    assert len(list(store.root.rglob("*.safetensors"))) == 1, "the checkpoint's are gone, the model is there once"
    assert store.model(one.id) == kept.store.model(one.id)


def copied(kept, tmp_path, name: str, blob: bytes | None = None, **row) -> tuple[Store, str]:
    """A store of the one trial, with another file as its model, or none, and other values in its row."""
    ident = kept.trials[name].id
    given = kept.store.measured([ident], ("trials", "scores"))
    plain = {k: v for k, v in given["trials"].iloc[0].items() if v is not None and v == v}
    store = Store(tmp_path / "other")
    store.commit(Record({**plain, **row}, given["scores"].to_dict("records")), model=blob)
    return store, ident


def test_what_was_not_kept_is_said_and_what_to_do(kept, tmp_path):
    store, ident = copied(kept, tmp_path, "lora")
    assert not store.models([ident])
    with pytest.raises(UserError, match=r"model of trial \w+ \(a\) was not kept; expected .*keep: all.*--store"):
        model.load(store, ident)
    with pytest.raises(UserError, match="trial ffff is not committed"):
        model.load(store, "ffff")
    failed, ident = copied(kept, tmp_path / "failed", "lora", status="diverged")
    with pytest.raises(UserError, match="has no model: it is diverged"):
        model.load(failed, ident)


def test_another_trials_file_is_refused(kept, tmp_path):
    store, ident = copied(kept, tmp_path, "lora", kept.store.model(kept.trials["vera"].id))
    with pytest.raises(DataError, match=rf"model of trial {kept.trials['vera'].id}; expected that of trial {ident}"):
        model.load(store, ident)


def test_a_file_that_is_no_model_or_a_newer_one_is_refused(kept, tmp_path):
    for number, blob in enumerate((b"12345678" * 4, save({"a": torch.ones(1)}))):
        store, ident = copied(kept, tmp_path / str(number), "lora", blob)
        with pytest.raises(DataError, match="not a model that upbench kept"):
            model.load(store, ident)
    newer = save({"a": torch.ones(1)}, {model.METADATA: json.dumps({"format": model.FORMAT + 1})})
    with pytest.raises(DataError, match="a newer release reads it"):
        model.opened(newer, "there")


def test_another_backbone_is_refused(kept, tmp_path, monkeypatch):
    one = kept.trials["lora"]
    own, other = one.hashes["backbone"], tmp_path / "other"
    shutil.copytree(weights.folder_of("tiny"), other)
    assert model.load(kept.store, one.id, Source(str(other))) is not None, "the same weights elsewhere"
    file = other / weights.FILE
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(bytes(blob))
    with pytest.raises(EnvironmentFault, match=rf"is for another backbone: .*other is \w+; expected {own}"):
        model.load(kept.store, one.id, Source(str(other)))
    store, ident = copied(kept, tmp_path, "lora", kept.store.model(one.id), backbone_hash="0" * 16)
    with pytest.raises(DataError, match=rf"for another backbone: {own}; expected {'0' * 16}"):
        model.load(store, ident)
    monkeypatch.setattr(weights, "identity", lambda source: "f" * 16)
    for name in ("lora", "zero_shot"):
        with pytest.raises(EnvironmentFault, match=rf"has changed since: tiny is {'f' * 16}; expected {own}.*kept: "):
            model.load(kept.store, kept.trials[name].id)


def test_a_backbone_that_is_not_here_is_told(kept, tmp_path):
    with pytest.raises(EnvironmentFault, match="weights are missing"):
        shutil.copytree(weights.folder_of("tiny"), tmp_path / "bare", ignore=lambda *_: [weights.FILE])
        model.load(kept.store, kept.trials["lora"].id, Source(str(tmp_path / "bare")))
