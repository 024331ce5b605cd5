"""A worker that is kept from trial to trial: the second trial is bitwise what it is in a worker of its own."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness.execution.executor import execute
from harness.store.store import Store
from harness.trial import run as running
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe
from tests.compare_stores import contents

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


def resolved(data: Path, method: str, **changes) -> dict:
    values = {
        "method": method,
        "options": {},
        "label": method,
        "budget": None if method == "full" else "2%",
        "dataset": TINY,
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short", "epochs": 1, "batch": 32}),
        "selection": "val",
        "evaluate_on": (),
        "seed": 0,
        "device": "cpu",
        "threads": 1,
    } | changes
    return resolve(Trial(**values), data).as_dict()


def state() -> dict:
    """What a trial could leave behind in its process."""
    hooks = (torch.nn.modules.module._global_forward_hooks, torch.nn.modules.module._global_backward_hooks)
    return {
        "threads": torch.get_num_threads(),
        "names": sorted(t.name for t in threading.enumerate() if t.name.startswith("Thread")),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "hooks": sum(map(len, hooks)),
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
    }


def tensors() -> int:
    """Bytes of the tensors that are alive."""
    gc.collect()
    return sum(t.numel() * t.element_size() for t in gc.get_objects() if issubclass(type(t), torch.Tensor))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.mark.slow
def test_a_trial_leaves_nothing_behind_in_its_process(tmp_path, data):
    """The same trial twice, then others: settings stay, and live tensors grow by caches of data at most once."""
    run: Callable = running.run
    run(resolved(data, "lora"), tmp_path / "warm", data)
    before, size = state(), tensors()
    for n, method in enumerate(("prefix", "adapter", "full", "lora")):
        run(resolved(data, method, seed=n + 1), tmp_path / "store", data)
    assert state() == before
    assert tensors() - size < 2**20


@pytest.mark.slow
def test_a_then_b_in_one_worker_is_b_alone(tmp_path, data):
    """`a` trains everything for longer, so it comes first; both in one Ray worker, then `b` in a new one."""
    a = resolved(data, "full", recipe=recipe({"name": "short", "epochs": 2, "batch": 16}), seed=7)
    b = resolved(data, "lora", seed=3)
    order = []
    for store, todo in (("both", [a, b]), ("alone", [b])):
        outcome = execute(
            todo, store=tmp_path / store, data=data, workers=1,
            on_event=lambda event: order.append(event["trial"]) if event["event"] == "started" else None,
        )  # fmt: skip
        assert set(outcome.finished.values()) == {"ok"}
    assert order == [a["id"], b["id"], b["id"]]
    # In the store of both, only `b` is looked at.
    Store(tmp_path / "both").set_aside(a["id"])
    ours, theirs = contents(tmp_path / "both"), contents(tmp_path / "alone")
    for name, table in ours.items():
        assert len(table) and table.equals(theirs[name]), name
