"""Checkpoints on a real disk: whole or the one before, whatever is torn, flipped, full or killed."""

from __future__ import annotations

import os
import resource
import shutil

import numpy as np
import pytest
import torch

from harness.errors import DataError, EnvironmentFault
from harness.store.files.checksummed import NewerSchema
from harness.trial import checkpoint
from harness.trial.checkpoint import Checkpoints, Keeper, latest, unfinished

IDENT = "abcd1234"


def tensors(value: float) -> dict[str, torch.Tensor]:
    return {"a/b": torch.full((2, 3), value), "step": torch.tensor(value), "none": torch.empty(0)}


def two(tmp_path) -> Checkpoints:
    """Two checkpoints, of steps 1 and 2."""
    of = Checkpoints(tmp_path, IDENT)
    for step in (1, 2):
        of.save({"done": step}, tensors(step))
    return of


def newest(tmp_path):
    return max(tmp_path.glob(f"checkpoints/{IDENT}/[0-9]*"))


def test_what_is_saved_comes_back_to_the_bit(tmp_path):
    own = torch.arange(12.0)
    given = {
        "turned": torch.arange(6.0).view(2, 3).T,
        "one": own[:6],
        "same memory": own,
        "half": torch.tensor([1 / 3, float("nan"), -0.0], dtype=torch.bfloat16),
        "count": torch.tensor(2**60),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "scalar": torch.tensor(1e-45),
        "none": torch.empty(0, 4),
    }
    about = {"history": [{"loss": 0.1 + 0.2, "val": None}], "rate": 1e-300, "nan": float("nan"), "name": "Größe"}
    Checkpoints(tmp_path, IDENT).save(about, given)
    found, faults = Checkpoints(tmp_path, IDENT).load()
    assert not faults and found.number == 1
    for name, value in given.items():
        there = found.tensors[name]
        assert there.dtype == value.dtype and there.shape == value.shape
        assert (
            there.contiguous().numpy(force=True).tobytes() == value.contiguous().numpy(force=True).tobytes()
            if (value.dtype != torch.bfloat16)
            else torch.equal(there.view(torch.int16), value.view(torch.int16))
        )
    assert found.about["history"] == about["history"] and found.about["rate"] == 1e-300
    assert np.isnan(found.about["nan"]) and found.about["name"] == "Größe" and found.about["id"] == IDENT


def test_the_last_two_are_kept_and_all_are_removed_at_the_end(tmp_path):
    of = two(tmp_path)
    of.save({"done": 3}, tensors(3))
    assert sorted(path.name for path in of.folder.iterdir()) == ["000002", "000003"]
    assert latest(tmp_path, IDENT)["done"] == 3 and unfinished(tmp_path) == [IDENT]
    of.remove()
    assert not list(tmp_path.iterdir()) and not unfinished(tmp_path) and latest(tmp_path, IDENT) is None
    assert of.load() == (None, [])


def damaged(tmp_path, file: str, change) -> None:
    """Change the newest checkpoint's file, and see that the one before is used and the change is told."""
    of = two(tmp_path)
    path = newest(tmp_path) / file
    blob = change(path.read_bytes())
    path.unlink() if blob is None else path.write_bytes(blob)
    with pytest.raises(DataError):
        checkpoint.read(newest(tmp_path))
    found, faults = of.load()
    assert found.about["done"] == 1 and torch.equal(found.tensors["step"], torch.tensor(1.0))
    assert len(faults) == 1 and "000002" in faults[0]
    assert sorted(path.name for path in of.folder.iterdir()) == ["000001"]
    shutil.rmtree(of.folder)


def sizes(tmp_path) -> dict[str, int]:
    two(tmp_path)
    found = {name: (newest(tmp_path) / name).stat().st_size for name in (checkpoint.TENSORS, checkpoint.ABOUT)}
    shutil.rmtree(tmp_path / "checkpoints")
    return found


@pytest.mark.parametrize("file", [checkpoint.TENSORS, checkpoint.ABOUT])
@pytest.mark.parametrize("every", [41, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_or_a_torn_end_falls_back_to_the_one_before(tmp_path, file, every):
    size = sizes(tmp_path)[file]
    for at in range(every // 2, size, every):
        damaged(tmp_path, file, lambda blob, at=at: blob[:at] + bytes([blob[at] ^ 1 << at % 8]) + blob[at + 1 :])
        damaged(tmp_path, file, lambda blob, at=at: blob[:at])
    damaged(tmp_path, file, lambda blob: None)
    damaged(tmp_path, file, lambda blob: blob + b"\0")


def test_without_a_whole_one_the_trial_starts_anew(tmp_path):
    of = two(tmp_path)
    for place in of.folder.iterdir():
        (place / checkpoint.TENSORS).write_bytes(b"")
    found, faults = of.load()
    assert found is None and len(faults) == 2
    of.save({"done": 1}, tensors(5))
    assert of.load()[0].about["done"] == 1


def test_a_checkpoint_of_another_trial_is_none(tmp_path):
    of = two(tmp_path)
    shutil.copytree(of.folder, of.folder.with_name("ffff0000"))
    found, faults = Checkpoints(tmp_path, "ffff0000").load()
    assert found is None and len(faults) == 2 and f"it names trial '{IDENT}'" in faults[0]


def test_a_newer_release_is_refused_and_nothing_is_removed(tmp_path, monkeypatch):
    of = two(tmp_path)
    monkeypatch.setattr(checkpoint.schema, "VERSION", checkpoint.schema.VERSION + 1)
    of.save({"done": 3}, tensors(3))
    monkeypatch.undo()
    with pytest.raises(NewerSchema, match="newer release"):
        of.load()
    assert len(list(of.folder.iterdir())) == 2


def test_a_full_disk_keeps_the_earlier_ones_and_leaves_nothing_behind(tmp_path):
    of = two(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(EnvironmentFault, match=r"cannot be written: .*; kept: earlier checkpoints"):
            of.save({"done": 3}, {"large": torch.zeros(10_000)})
        with pytest.raises(EnvironmentFault, match=r"cannot be written: .*; kept: earlier checkpoints"):
            of.save({"done": 3, "long": "x" * 10_000}, tensors(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in of.folder.iterdir()) == ["000001", "000002"]
    assert of.load()[0].about["done"] == 2
    of.save({"done": 3}, tensors(3))
    assert of.load()[0].about["done"] == 3


def test_a_failed_sync_is_no_checkpoint(tmp_path, monkeypatch):
    of = two(tmp_path)
    real, calls = os.fsync, []
    for failing in range(1, 4):  # tensors, JSON, their folder

        def fsync(handle, failing=failing):
            calls.append(handle)
            if len(calls) == failing:
                raise OSError(5, "Input/output error")
            real(handle)

        calls.clear()
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(EnvironmentFault):
            of.save({"done": 3}, tensors(3))
        monkeypatch.undo()
        assert sorted(path.name for path in of.folder.iterdir()) == ["000001", "000002"]


# In the order of saving: what a process can die before.
OPERATIONS = ("mkdir", "save_file", "fsync", "open", "write", "rename", "rmtree")


def test_a_process_may_die_before_any_operation_of_a_save(tmp_path):
    outcomes = set()
    for number in range(1, 100):
        root = tmp_path / f"{number}"
        of = two(root)
        if not (pid := os.fork()):
            _die_before(number)
            of.save({"done": 3}, tensors(3))
            os._exit(0)
        through = os.waitpid(pid, 0)[1] == 0
        found, faults = Checkpoints(root, IDENT).load()
        done = found.about["done"]
        assert not faults and done in (2, 3) and torch.equal(found.tensors["step"], torch.tensor(float(done)))
        assert not list(of.folder.glob(".tmp-*")), "load clears what a dead process left"
        of.save({"done": 4}, tensors(4))
        assert of.load()[0].about["done"] == 4 and len(list(of.folder.iterdir())) == 2
        outcomes.add(done)
        if through:
            break
    assert number > 10 and outcomes == {2, 3}


def _die_before(number: int) -> None:
    left = [number]

    def watched(real):
        def call(*given, **more):
            left[0] -= 1
            if not left[0]:
                os._exit(9)
            return real(*given, **more)

        return call

    for module in (os, checkpoint, shutil):
        for name in OPERATIONS:
            if name in vars(module) and not (module is shutil and name != "rmtree"):
                setattr(module, name, watched(getattr(module, name)))


def test_when_checkpoints_are_due(tmp_path, monkeypatch):
    clock, cost = [0.0], [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    of = Checkpoints(tmp_path, IDENT)
    real = of.save
    monkeypatch.setattr(of, "save", lambda *given: (clock.__setitem__(0, clock[0] + cost[0]), real(*given)))
    keeper = Keeper(of, 600.0, lambda text: None)

    def due() -> tuple[bool, bool]:
        return keeper.due(True), keeper.due(False)

    clock[0] = 4.9
    assert due() == (False, False)
    clock[0] = 5.0
    assert due() == (True, False)
    clock[0] = 600.0
    assert due() == (True, True)
    cost[0] = 20.0
    assert keeper.save({"done": 1}, tensors(1))
    clock[0] = 620 + 999.0
    assert due() == (False, False), "a dear checkpoint is rare"
    clock[0] = 620 + 1000.0
    assert due() == (True, True)


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_the_trial_goes_on(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    told = []
    keeper = Keeper(Checkpoints(tmp_path, IDENT), 0.0, told.append)
    assert not keeper.save({"done": 1}, tensors(1)) and not keeper.save({"done": 2}, tensors(2))
    assert len(told) == 1 and IDENT in told[0] and "goes on without a new checkpoint" in told[0]


def test_a_damaged_checkpoint_is_told_with_its_file(tmp_path):
    two(tmp_path)
    (newest(tmp_path) / checkpoint.TENSORS).write_bytes(b"torn")
    told = []
    found = Keeper(Checkpoints(tmp_path, IDENT), 0.0, told.append).load()
    assert found.about["done"] == 1
    assert len(told) == 1 and "000002/state.safetensors" in told[0] and "of step 1" in told[0]
