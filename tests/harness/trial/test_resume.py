"""A training, and a whole trial, left anywhere and entered again: the same bits as without a stop."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from harness import registry
from harness.adaptation.method import blocks, make
from harness.data.pipeline.batches import Batch, order
from harness.errors import Preempted
from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.weights import random
from harness.store.store import Store
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.training import heads, objective
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial import checkpoint
from harness.trial.checkpoint import Checkpoints
from harness.trial.resolve import resolve
from harness.trial.run import run
from harness.trial.spec import Trial, recipe

SHAPE = Shape(
    TowerShape("image", 64, 1, 1, 128, 9, 32, (4, 2), 16),
    TowerShape("text", 32, 1, 1, 64, 24, 32, vocabulary=80),
    quick_gelu=True,
)
SAMPLES, BATCH, EPOCHS = 10, 4, 2
STEPS = -(-SAMPLES // BATCH)


class Dropped(nn.Module):
    """A correction of the stream with dropout and running statistics, as a method of somebody else may have."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.drop, self.linear = nn.Dropout(0.5), nn.Linear(width, width)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.mean.lerp_(x.detach().mean((0, 1)), 0.1)
        return x + self.linear(self.drop(x - self.mean))


def dropped(backbone: Backbone) -> None:
    for tower, block in blocks(backbone, "both"):
        block.after_mlp.append(Dropped(tower.shape.width))


class Turned(nn.Module):
    """A trained matrix that lies in memory by columns, as one that was transposed does."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2 * width, width).mul_(0.1).T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + (x @ self.weight).unflatten(-1, (2, -1)).sum(-2)


def turned(backbone: Backbone) -> None:
    for tower, block in blocks(backbone, "both"):
        block.after_mlp.append(Turned(tower.shape.width))
        assert not block.after_mlp[-1].weight.is_contiguous()


def method(name: str, **given):
    return make(registry.find("methods", name), given).attach


WAYS = {
    "full": method("full"),
    "lora": method("lora", rank=2, targets=["k", "v"]),
    "up_person": method("up_person"),
    "union": method("union", parts=["s_prefix", {"lora": {"targets": ["q"]}}]),
    "dm_adapter": method("dm_adapter"),
    "dropout": dropped,
    "turned": turned,
}
LOSSES = {"lora": ("sdm", "id")}


def training(way: str) -> Training:
    """A small training, the same at every call."""
    backbone = random(SHAPE, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        WAYS[way](backbone)
    names = LOSSES.get(way, ("sdm",))
    settings = Recipe(epochs=EPOCHS, batch=BATCH, lr=1e-2, losses=names, warmup_epochs=0.5, schedule_per="step")
    extra = heads.build(objective.heads(names), 32, SAMPLES, 0, 80, 1)
    return Training(backbone, settings, STEPS, extra, seed=3)


def batches(epoch: int, start: int = 0) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(SAMPLES, 3, 64, 32, generator=generator)
    ids = torch.randint(1, 77, (SAMPLES, 24), generator=generator)
    ids[:, 0], ids[:, -1] = 78, 79
    rows = [order(SAMPLES, 0, epoch)[i : i + BATCH] for i in range(0, SAMPLES, BATCH)]
    for index in map(torch.from_numpy, rows[start:]):
        yield Batch(images, index, ids[index], index, index, index.numpy())


def prepare(batch: Batch, epoch: int) -> tuple[torch.Tensor, ...]:
    return batch.store[batch.picture], batch.ids


def after(run: Training, steps: int | None = None) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses of so many steps, or of all that are left, and a copy of the state then."""
    found = []
    for step in run.run(batches, prepare):
        found.append(float(step.loss))
        if steps is not None and len(found) == steps:
            break
    return found, {name: value.clone() for name, value in run.tensors().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_goes_on_bit_for_bit_after_every_step(tmp_path, way):
    whole = training(way)
    losses, end = after(whole)
    assert len(losses) == EPOCHS * STEPS and np.isfinite(losses).all()
    for number in range(1, len(losses)):
        left = training(way)
        first, _ = after(left, number)
        Checkpoints(tmp_path, f"{number}").save({"done": left.done, "rate": left.rate}, left.tensors())
        torch.rand(number)  # whatever happens between
        found, faults = Checkpoints(tmp_path, f"{number}").load()
        entered = training(way)
        entered.enter(found.tensors, found.about["done"], found.about["rate"])
        torch.rand(3)
        rest, again = after(entered)
        assert first + rest == losses and not faults
        assert equal(again, end), number
        assert entered.loss == whole.loss and entered.rate == whole.rate


def test_dropout_is_at_work_and_a_function_of_seed_and_step():
    first, again, other = training("dropout"), training("dropout"), training("dropout")
    other.seed = 4
    torch.rand(5)
    one, two, three = (after(run)[0] for run in (first, again, other))
    assert one == two and one[0] != three[0]


# A whole trial --------------------------------------------------------------------------------------------------------

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """No checkpoint for the sake of time on a slow machine, unless a test asks for one after every step."""
    monkeypatch.setattr(checkpoint, "GAP_SECONDS", 1e9)


def resolved(data, **changes) -> dict:
    values = {
        "method": "up_person",
        "options": {},
        "label": "a",
        "budget": "2%",
        "dataset": TINY,
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short", "epochs": 2, "batch": 128, "losses": ["sdm", "id"]}),
        "selection": "val",
        "evaluate_on": (),
        "seed": 0,
        "device": "cpu",
        "threads": 1,
    } | changes
    return resolve(Trial(**values), data).as_dict()


def stopping_after(asks: int):
    """A `stop` that says yes from the so-manieth time on that it is asked, and how often it was."""
    state = types.SimpleNamespace(asked=0)

    def stop() -> bool:
        state.asked += 1
        return state.asked > asks

    return stop, state


@pytest.fixture(scope="module")
def reference(data, tmp_path_factory):
    """A trial without a stop: its store, and how often it asks."""
    root = tmp_path_factory.mktemp("reference")
    stop, state = stopping_after(10**9)
    assert run(resolved(data), root, data, stop=stop) == "ok"
    assert not (root / "checkpoints").exists()
    return root, state.asked


def other_store(reference, store) -> list[str]:
    return compare_stores().differences(reference[0], store)


def compare_stores():
    path = Path(__file__).parents[2] / "compare_stores.py"
    spec = importlib.util.spec_from_file_location("compare_stores", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(root) -> pd.Series:
    store = Store(root)
    return store.measured(store.ids())["trials"].iloc[0]


# 0: before the first look. 3: at the end of an epoch, before its look. 6: all steps taken, before the look at test.
@pytest.mark.parametrize("asks", [3, 6, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 1, 2, 4, 5))])
def test_a_trial_stopped_at_any_question_gives_the_same_row(data, tmp_path, reference, asks):
    assert reference[1] == 7
    stop, _ = stopping_after(asks)
    with pytest.raises(Preempted, match=r"was stopped after \d steps; kept: ") as caught:
        run(resolved(data), tmp_path, data, stop=stop)
    kept = list(tmp_path.glob("checkpoints/*/*/checkpoint.json"))
    assert len(kept) == (asks > 1) and ("its checkpoint" in str(caught.value)) == (asks > 1)
    assert not Store(tmp_path).ids()
    events = []
    assert run(resolved(data), tmp_path, data, events.append) == "ok"
    assert not other_store(reference, tmp_path)
    assert row(tmp_path)["resumes"] == (asks > 1) and row(reference[0])["resumes"] == 0
    assert not (tmp_path / "checkpoints").exists()
    assert row(tmp_path)["steps"] == 4


@pytest.mark.slow
def test_a_trial_stopped_again_and_again(data, tmp_path, reference):
    stops = 0
    while not Store(tmp_path).ids():
        with contextlib.suppress(Preempted):
            run(resolved(data), tmp_path, data, stop=stopping_after(2)[0])
            break
        stops += 1
        assert len(list(tmp_path.glob("checkpoints/*/*/"))) <= 2 and stops < 9
    assert row(tmp_path)["resumes"] == stops > 1
    assert not other_store(reference, tmp_path)
    seconds = row(tmp_path)["seconds_total"]
    assert seconds > row(tmp_path)["seconds_train"] > 0


OTHER = {"dataset": "synth_rstp", "options": {"size": "tiny"}}


@pytest.mark.parametrize("changes", [
    pytest.param({"selection": "last", "method": "full", "budget": None}, marks=pytest.mark.slow),
    pytest.param({"evaluate_on": (OTHER,), "method": "bitfit", "budget": None}, marks=pytest.mark.slow),
    {"selection": "test-oracle", "method": "lora"},
])  # fmt: skip
def test_selections_and_other_data_sets_survive_a_stop(data, tmp_path, changes):
    item = resolved(data, recipe=recipe({"name": "short", "epochs": 2, "batch": 256}), **changes)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(item, whole, data)
    for asks in (2, 1):
        with pytest.raises(Preempted):
            run(item, parts, data, stop=stopping_after(asks)[0])
    assert run(item, parts, data) == "ok"
    assert not compare_stores().differences(whole, parts) and row(parts)["resumes"] == 2


def test_an_interrupt_while_parameters_change_goes_back_to_the_last_checkpoint(data, tmp_path, reference, monkeypatch):
    step, calls = torch.optim.AdamW.step, []

    def half(adam, *given):
        calls.append(1)
        if len(calls) == 3:
            with torch.no_grad():
                adam.param_groups[0]["params"][0].add_(1)
            raise KeyboardInterrupt
        return step(adam, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", half)
    monkeypatch.setattr(checkpoint, "COST_FACTOR", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(resolved(data), tmp_path, data, checkpoint_every=0.0)
    assert checkpoint.latest(tmp_path, resolved(data)["id"])["done"] == 2
    assert run(resolved(data), tmp_path, data) == "ok"
    assert not other_store(reference, tmp_path) and row(tmp_path)["resumes"] == 1


class Interrupt:
    """A KeyboardInterrupt at the n-th line that is executed in the files of the trip, as a signal may bring it."""

    FILES = ("harness/trial/run.py", "harness/training/loop.py", "harness/trial/checkpoint.py", "torch/optim/adam.py")

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def __enter__(self) -> Interrupt:
        sys.settrace(self.call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def call(self, frame, event, given):
        return self.line if frame.f_code.co_filename.endswith(self.FILES) else None

    def line(self, frame, event, given):
        if event == "line":
            self.seen += 1
            if self.seen == self.at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.line


@pytest.fixture(scope="module")
def lines(data, reference, tmp_path_factory):
    """How many lines of the trip's files a trial executes."""
    with Interrupt(10**9) as interrupt:
        run(resolved(data), tmp_path_factory.mktemp("lines"), data)
    return interrupt.seen


@pytest.mark.slow
@pytest.mark.parametrize("part", range(60))
def test_an_interrupt_at_any_line_loses_nothing_that_was_whole(data, tmp_path, reference, lines, part):
    at = int(np.random.default_rng(part).integers(1, lines))
    with Interrupt(at), pytest.raises(KeyboardInterrupt):
        run(resolved(data), tmp_path, data)
    assert not Store(tmp_path).ids()
    assert run(resolved(data), tmp_path, data) == "ok"
    assert not other_store(reference, tmp_path)


# Killed ---------------------------------------------------------------------------------------------------------------


def killed_after(seconds: float, item: dict, root: Path, data: Path) -> bool:
    """Run a trial in a process of its own with a checkpoint after every step, and kill it; whether it was in time."""
    if not (pid := os.fork()):
        status = 1
        try:
            status = int(run(item, root, data, checkpoint_every=0.0) != "ok")
        finally:
            os._exit(status)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_trial_killed_at_any_time_is_there_once_with_the_same_bits(data, tmp_path, reference, kills, monkeypatch):
    monkeypatch.setattr(checkpoint, "COST_FACTOR", 0.0)
    rng, item = np.random.default_rng(kills), resolved(data)
    begin = time.monotonic()
    run(item, tmp_path / "timed", data, checkpoint_every=0.0)
    longest = time.monotonic() - begin
    assert not compare_stores().differences(tmp_path / "timed", reference[0])
    done = rounds = 0
    while done < kills:
        rounds += 1
        root = tmp_path / f"{rounds}"
        while killed_after(rng.uniform(0, longest), item, root, data):
            done += 1
            assert Store(root).ids() <= {item["id"]} and not Store(root).damaged(Store(root).ids())
            assert len(list(root.glob("checkpoints/*/[0-9]*"))) <= 3
        assert not other_store(reference, root)
        assert not list(root.glob("checkpoints/*/[0-9]*"))


STUDY = """
name: cut
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
methods: [lora, bitfit]
recipe: {name: short, epochs: 6, batch: 32}
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_to_the_command_line_keeps_the_state_and_the_same_command_goes_on(data, tmp_path, name):
    study = tmp_path / "cut.yaml"
    study.write_text(STUDY)
    store = tmp_path / "store"
    words = [
        sys.executable,
        "-c",
        "from harness.cli.main import main; main()",
        "run",
        str(study),
        "--executor",
        "serial",
    ]
    words += ["--store", str(store), "--data", str(data)]

    def start() -> subprocess.Popen:
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)

    items = [resolve(item, data).as_dict() for item in trials_of(load(study))]
    for item in items:
        run(item, tmp_path / "whole", data)
    first = start()
    while not list(store.glob("claims/*.json")):
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.01)
    time.sleep(0.5)
    first.send_signal(getattr(signal, name))
    told = time.monotonic()
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 75 and time.monotonic() - told < 30, out
    assert "Traceback" not in out and "the same command continues" in out
    again = start()
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0, out
    hashes = {item["id"]: item["hashes"]["code"] for item in items}
    assert hashes == Store(store).measured(Store(store).ids())["trials"].set_index("id")["code_hash"].to_dict()
    assert not compare_stores().differences(tmp_path / "whole", store)
