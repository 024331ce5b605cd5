"""What counts as memory that ran out, and the peak of a process."""

from __future__ import annotations

import pytest
import torch

from harness import memory
from harness.evaluation import cost
from harness.store.store import Store
from harness.training.step import Stepper
from harness.trial import run as running
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes",
        "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate",
        "std::bad_alloc",
    ],
)
def test_texts_of_exhausted_memory(text):
    assert memory.exhausted(RuntimeError(text))
    assert not memory.exhausted(ValueError(text)), "another kind of error that quotes it"


def test_other_errors_are_others():
    assert memory.exhausted(MemoryError()) and memory.exhausted(torch.OutOfMemoryError("x"))
    for fault in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of range"), KeyError("a")):
        assert not memory.exhausted(fault)


def test_a_real_allocation_that_fails():
    with pytest.raises(RuntimeError) as fault:
        torch.empty(1 << 60)
    assert memory.exhausted(fault.value)


def test_peak_is_what_was_held_at_once():
    found = memory.Peak(CPU)
    before = found.bytes()
    held = torch.ones(1 << 24)  # 64 MiB, touched
    del held
    held = torch.ones(1 << 23)
    assert 0.95 * 64 * 2**20 < found.bytes() - before < 1.2 * 64 * 2**20
    del held
    assert memory.Peak(CPU).bytes() < 16 * 2**20, "a new measurement begins from what is held then"


def test_peak_without_the_system_s_help(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "none")
    assert memory.Peak(CPU).bytes() is None
    memory.release(CPU)


def test_cost_has_one_measurement_at_a_time():
    cost.reset_peak(CPU)
    held = torch.ones(1 << 23)
    assert cost.peak(CPU) > 0.9 * 32 * 2**20
    del held
    cost.reset_peak(CPU)
    assert cost.peak(CPU) < 16 * 2**20


# In a trial --------------------------------------------------------------------------------------------------------


def run(tmp_path, data, **more):
    values = {
        "method": "lora",
        "options": {"targets": ("k", "v")},
        "label": "lora",
        "budget": "2%",
        "dataset": {"dataset": "synth_cuhk", "options": {"size": "tiny"}},
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short", "epochs": 1, "batch": 32, **more}),
        **{"selection": "last", "evaluate_on": (), "seed": 0, "device": "cpu", "threads": 1},
    }
    resolved = resolve(Trial(**values), data)
    store = Store(tmp_path)
    status = running.run(resolved.as_dict(), store.root, data)
    keys = ("label", "method", "budget", "seed")
    store.declare(
        "s", {}, [{"id": resolved.id, "dataset": "d", "trial": resolved.trial, **{k: values[k] for k in keys}}]
    )
    return resolved, status, store.read("s")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def greedy(most):
    whole = Stepper.features

    def features(self, images, ids, *more):
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, images, ids, *more)

    return features


def test_a_trial_goes_on_in_parts_and_says_so(data, tmp_path, monkeypatch):
    whole, status, results = run(tmp_path / "whole", data)
    row = results.trials.iloc[0]
    assert status == "ok" and row["micro_batch"] == 32 and row["peak_memory_train"] > 0
    monkeypatch.setattr(Stepper, "features", greedy(10))
    parts, status, halved = run(tmp_path / "parts", data)
    assert status == "ok" and halved.trials.iloc[0]["micro_batch"] == 8
    assert parts.id == whole.id
    assert halved.history["loss"].iloc[-1] == pytest.approx(results.history["loss"].iloc[-1], rel=1e-4)
    explicit, status, small = run(tmp_path / "explicit", data, micro_batch=4)
    assert explicit.id == whole.id and small.trials.iloc[0]["micro_batch"] == 4


def test_one_pair_that_does_not_fit_ends_the_trial(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Stepper, "features", greedy(0))
    _, status, results = run(tmp_path, data)
    row = results.trials.iloc[0]
    assert status == row["status"] == "oom" and row["micro_batch"] == 1 and row["peak_memory_train"] >= 0
    assert "out of memory" in row["reason"] and results.scores.empty
