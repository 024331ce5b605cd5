"""Trackers: what is missing is said before any work; what is there gets every epoch."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import EnvironmentFault, UserError
from harness.execution.executor import execute
from harness.execution.ray import loggers


@pytest.mark.parametrize("text", ["tensorbord", "tensorboard=", "wandb="])
def test_an_unknown_tracker_is_named(text):
    with pytest.raises(UserError, match="expected one of tensorboard, mlflow, wandb") as caught:
        loggers.parse([text])
    assert caught.value.exit_code == 2 and f"did you mean {text[:5]}" in str(caught.value)


@pytest.mark.parametrize("name, package", loggers.PACKAGES.items())
def test_a_missing_package_is_told_before_any_work(tmp_path, monkeypatch, capsys, name, package):
    monkeypatch.chdir(tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n, *a: None if n == package else found(n, *a))
    assert main.call(["run", "demo", "--log", name]) == 3
    error = capsys.readouterr().err
    assert f"pip install {package}" in error and len(error.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_trackers_need_ray(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main.call(["run", "demo", "--log", "tensorboard", "--executor", "serial"]) == 2
    assert "--executor ray" in capsys.readouterr().err


def test_wandb_without_a_key_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    sys.modules["wandb"].__spec__ = importlib.util.spec_from_loader("wandb", None)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="no key"):
        loggers.parse(["wandb"])
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert loggers.parse(["wandb=mine"]) == [("wandb", "mine")]


def test_only_numbers_of_epochs_are_logged():
    event = {"event": "epoch", "trial": "a", "epoch": 1, "val_R1": 12.5, "loss": None, "whole": True}
    assert loggers.flat(event) == {"epoch": 1, "val_R1": 12.5, "timesteps_total": 1}
    assert loggers.flat({"event": "finished", "seconds": 1.0}) == {}


def test_mlflow_gets_the_store_or_the_place(tmp_path, monkeypatch):
    given = []
    fake = types.ModuleType("ray.air.integrations.mlflow")
    fake.MLflowLoggerCallback = lambda **more: given.append(more)
    monkeypatch.setitem(sys.modules, "ray.air.integrations.mlflow", fake)
    loggers.callbacks([loggers.Tracker("mlflow", None), loggers.Tracker("mlflow", "http://there")], tmp_path, "s")
    assert given[0] == {"tracking_uri": (tmp_path / "mlflow").as_uri(), "experiment_name": "s"}
    assert given[1]["tracking_uri"] == "http://there"


@pytest.mark.slow
def test_tensorboard_has_every_epoch_of_every_trial(tmp_path):
    def run(resolved, store, data, report):
        for epoch in (1, 2):
            report({"epoch": epoch, "epochs": 2, "val_R1": 10.0 * epoch})
        return "ok"

    recipe = {"epochs": 2, "lr": 1e-3}
    todo = [
        {"id": f"{n:08x}", "trial": {"label": "lora", "budget": "1%", "seed": n, "recipe": recipe}} for n in range(2)
    ]
    outcome = execute(
        todo, run, store=tmp_path / "store", data=tmp_path, workers=1, log=loggers.parse(["tensorboard"]), study="s"
    )
    assert set(outcome.finished.values()) == {"ok"}
    for n in range(2):
        (folder,) = (tmp_path / "store" / "tensorboard" / "s").glob(f"lora-1%-{n}-*")
        assert _scalars(folder, "val_R1") == {1: 10.0, 2: 20.0}


def _scalars(folder: Path, name: str) -> dict[int, float]:
    """Values of a tag by epoch, read from event files by their framing: length, crc, record, crc."""
    from tensorboardX.proto import event_pb2

    by_epoch = {}
    for path in folder.glob("events.out*"):
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            size = int.from_bytes(raw[at : at + 8], "little")
            event = event_pb2.Event.FromString(raw[at + 12 : at + 12 + size])
            at += 16 + size
            if event.summary.value and event.summary.value[0].tag == f"ray/tune/{name}":
                by_epoch[event.step] = event.summary.value[0].simple_value
    return by_epoch
