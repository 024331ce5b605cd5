"""What changed between stopping and going on is named, in one line, and never mixed into one result."""

from __future__ import annotations

import pytest
import torch

from harness import provenance
from harness.cli import main
from harness.errors import Preempted
from harness.store import releases
from harness.store.store import Record, Store
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.trial import checkpoint, drift
from harness.trial import resolve as resolving
from harness.trial import run as running
from harness.trial.checkpoint import Checkpoints
from harness.trial.spec import Trial, recipe

HERE = provenance.versions()["torch"]
HASHES = {"code": "c" * 16, "data": "d" * 16, "backbone": "b" * 16}


def trial(ident: str = "aaaa", label: str = "lora", seed: int = 0, **hashes: str) -> dict:
    document = {"label": label, "method": "lora", "budget": None, "dataset": {"dataset": "d"}, "seed": seed}
    document["device"] = "cpu"
    return {"id": ident, "status": "ready", "trial": document, "hashes": HASHES | hashes}


def left(store: Store, item: dict, **environment: str) -> None:
    """A checkpoint of an unfinished trial."""
    about = {"trial": item["trial"], "hashes": item["hashes"], "done": 7}
    about["environment"] = drift.environment("cpu") | environment
    Checkpoints(store.local, item["id"]).save(about, {"x": torch.zeros(1)})


def declare(store: Store, *items: dict) -> None:
    keys = ("label", "method", "budget", "seed")
    store.declare("s", {}, [
        {"id": item["id"], "dataset": "d", "trial": item["trial"], "hashes": item["hashes"]}
        | {key: item["trial"][key] for key in keys} for item in items
    ])  # fmt: skip


def commit(store: Store, item: dict, **versions: str) -> None:
    row = {"id": item["id"], "label": "a", "method": "a", "dataset": "d", "seed": 0, "status": "ok", "spec": {}}
    store.commit(Record(trial=row | ({"versions": provenance.versions() | versions} if versions else {})))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def test_nothing_to_say_when_nothing_changed(store):
    left(store, trial())
    declare(store, trial(), trial("bbbb", seed=1))
    assert drift.report([trial(), trial("bbbb", seed=1), trial("cccc", seed=2)], store, "s") == []
    assert drift.report([trial("cccc", seed=2)], store, "new") == []
    assert checkpoint.unfinished(store.local) == ["aaaa"]


@pytest.mark.parametrize("what", HASHES)
def test_a_hash_that_differs_from_the_checkpoint_is_named(store, what):
    left(store, trial())
    declare(store, trial())
    (line,) = drift.report([trial("bbbb", label="renamed", **{what: "e" * 16})], store, "s")
    old, new = HASHES[what][:8], "e" * 8
    assert f"{what} changed since the checkpoint of trial aaaa ({what} {old} -> {new}): it starts anew as bbbb" in line
    assert str(store.local / "checkpoints" / "aaaa") in line and Checkpoints(store.local, "aaaa").load()[0]


def test_a_hash_that_differs_from_the_declaration_is_named_once_for_all_trials(store):
    before = [trial(f"aaa{n}", seed=n) for n in range(3)]
    declare(store, *before)
    commit(store, before[0])
    now = [trial(f"bbb{n}", seed=n, code="e" * 16) for n in range(3)]
    (line,) = drift.report(now, store, "s")
    assert line.startswith("code changed since study s was last run (code cccccccc -> eeeeeeee): 3 trials start anew")
    commit(store, now[1])
    (line,) = drift.report(now, store, "s")
    assert "2 trials start anew" in line
    declare(store, *({**item, "hashes": {}} for item in before))
    assert "code, data or backbone changed" in drift.report(now, store, "s")[0]


@pytest.mark.parametrize("field, value", [("torch", "1.0"), ("numpy", "0"), ("hardware", "another"), ("format", "0")])
def test_another_environment_is_refused_with_its_field(store, field, value):
    left(store, trial(), **{field: value})
    left(store, trial("bbbb", seed=1), **{field: value})
    items = [trial(), trial("bbbb", seed=1)]
    with pytest.raises(drift.Drift) as caught:
        drift.report(items, store, "s")
    said = str(caught.value)
    here = drift.environment("cpu")[field]
    assert f"trial aaaa cannot be gone on from here: {field} was {value}, is {here} (and 1 other trials)" in said
    assert "--accept-drift" in said and caught.value.exit_code == 2
    assert checkpoint.unfinished(store.local) == ["aaaa", "bbbb"]
    lines = drift.report(items, store, "s", accept=True)
    assert [line.split()[1] for line in lines] == ["aaaa", "bbbb"] and field in lines[0]
    assert not checkpoint.unfinished(store.local)
    assert drift.report(items, store, "s") == []


def test_what_only_one_side_knows_is_no_drift(store):
    left(store, trial(), driver="1")
    assert drift.report([trial()], store, "s") == []


def test_checkpoints_of_committed_trials_are_cleared(store):
    left(store, trial(), torch="1.0")
    commit(store, trial())
    assert drift.report([trial()], store, "s") == [] and not checkpoint.unfinished(store.local)


def test_a_trial_itself_refuses_a_checkpoint_of_another_environment(tmp_path, monkeypatch):
    short = recipe({"name": "short", "epochs": 1, "batch": 256})
    home = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
    item = Trial(
        method="bitfit", options={}, label="a", budget=None, dataset=home, backbone={"name": "tiny"}, recipe=short,
        selection="last", evaluate_on=(), seed=0, device="cpu", threads=1,
    )  # fmt: skip
    resolved = resolving.resolve(item, tmp_path).as_dict()
    asked = iter([False, True])
    with pytest.raises(Preempted):
        running.run(resolved, tmp_path / "store", tmp_path, stop=lambda: next(asked))
    real = drift.environment
    monkeypatch.setattr(drift, "environment", lambda device: real(device) | {"torch": "9.9"})
    with pytest.raises(drift.Drift, match=r"torch was .*, is 9\.9"):
        running.run(resolved, tmp_path / "store", tmp_path)
    assert not Store(tmp_path / "store").ids() and checkpoint.unfinished(tmp_path / "store") == [resolved["id"]]
    monkeypatch.undo()
    assert running.run(resolved, tmp_path / "store", tmp_path) == "ok"


STUDY = """
name: small
backbone: ViT-B-16
datasets: [synth_cuhk]
methods: [lora]
recipe: {name: short, epochs: 1}
"""


def test_the_command_line_names_the_change_refuses_and_accepts(tmp_path, monkeypatch, capsys):
    (tmp_path / "small.yaml").write_text(STUDY)
    code = ["c" * 16]

    def resolve(item, data) -> resolving.Resolved:
        hashes = HASHES | {"code": code[0]}
        return resolving.Resolved("aaaa" + code[0][:4], item.as_dict(), "ready", None, 1, 10, 0.1, None, hashes)

    def run(resolved, store, data, report) -> str:
        row = {"label": "a", "method": "a", "dataset": "d", "seed": 0, "status": "ok", "spec": {}}
        Store(store).commit(Record(trial={"id": resolved["id"], **row}))
        return "ok"

    monkeypatch.setattr(resolving, "resolve", resolve)
    monkeypatch.setattr(running, "run", run)
    place = tmp_path / "store"
    words = [
        "run",
        str(tmp_path / "small.yaml"),
        "--executor",
        "serial",
        "--store",
        str(place),
        "--data",
        str(tmp_path),
    ]
    (item,) = trials_of(load(tmp_path / "small.yaml"))
    left(Store(place), resolve(item, "").as_dict() | {"hashes": HASHES})
    code[0] = "e" * 16
    left(Store(place), resolve(item, "").as_dict(), torch="1.0")
    assert main.call(words) == 2
    assert "torch was 1.0, is " in capsys.readouterr().err and not Store(place).ids()
    assert main.call([*words, "--accept-drift"]) == 0
    out = capsys.readouterr().out
    assert "trial aaaaeeee starts from its beginning: torch was 1.0" in out
    assert Store(place).ids() == {"aaaaeeee"}
    code[0] = "f" * 16
    assert main.call(words) == 0
    assert "code changed since the checkpoint of trial aaaacccc (code cccccccc -> ffffffff)" in capsys.readouterr().out


def test_a_study_is_not_continued_under_another_minor_release_unasked(store):
    old, new = trial(), trial("bbbb", seed=1)
    declare(store, old, new)
    commit(store, old, torch="2.3.1+cpu")
    assert drift.report([old], store, "s") == [], "nothing is left to measure"
    words = "1 of the committed trials of s were measured with torch 2.3, here is " + HERE
    with pytest.raises(drift.Drift) as fault:
        drift.report([old, new], store, "s")
    assert (
        str(fault.value).startswith(words) and "--accept-drift" in str(fault.value) and "all rows" in str(fault.value)
    )
    assert drift.report([old, new], store, "s", accept=True) == [words]


def test_another_patch_of_a_release_is_no_drift(store):
    old, new = trial(), trial("bbbb", seed=1)
    declare(store, old, new)
    commit(store, old, torch=releases.minor(HERE) + ".99", pillow=provenance.versions()["pillow"])
    assert drift.report([old, new], store, "s") == []
    assert releases.minor("2.15.1+cpu") == "2.15"
