"""Stopping: the first signal asks trials to keep their state, a second one ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from harness.errors import Preempted
from harness.execution import executor as executors
from harness.execution.ray import prune, stop
from harness.execution.ray.stop import Flag

TRIALS = [{"id": f"{n:04x}", "trial": {"method": "m"}, "status": "ready", "trained": 1} for n in range(3)]


def listening(kept: list, ask: str = "SIGTERM", how: str = "return"):
    """A trial of 1000 steps; the second one signals its own process at step 3 and keeps its step when asked."""

    def run(resolved, store, data, report, stop):
        for step in range(1000):
            if resolved["id"] == "0001" and step == 3:
                os.kill(os.getpid(), getattr(signal, ask))
            if resolved["id"] == "0001" and stop():
                kept.append(step)
                if how == "raise":
                    raise Preempted("stopped")
                return "stopped"
        return "ok"

    return run


def execute(tmp_path, run, events=None, **more):
    where = {"store": tmp_path / "store", "data": tmp_path / "data", "executor": "serial"}
    return executors.execute(TRIALS, run, **where, on_event=(events if events is not None else []).append, **more)


@pytest.mark.parametrize("ask", ["SIGINT", "SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("how", ["return", "raise"])
def test_a_trial_keeps_its_state_when_asked(tmp_path, ask, how):
    kept, events, before = [], [], signal.getsignal(getattr(signal, ask))
    outcome = execute(tmp_path, listening(kept, ask, how), events)
    assert kept == [3] and outcome.stopped and outcome.finished == {"0000": "ok"} and not outcome.lost
    assert [e["event"] for e in events] == ["started", "finished", "started", "notice", "stopped"]
    assert signal.getsignal(getattr(signal, ask)) == before and not list((tmp_path / "store").glob("stop-*"))


def test_a_trial_that_does_not_end_in_time_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(stop, "STOP_SECONDS", 0.2)

    def run(resolved, store, data, report, stop):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)

    began = time.monotonic()
    outcome = execute(tmp_path, run)
    assert outcome.stopped and not outcome.finished and time.monotonic() - began < 5


def test_a_second_signal_ends_the_process_at_once(tmp_path):
    code = f"""
        import os, signal, time
        from harness.execution.executor import execute
        def run(resolved, store, data, report, stop):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
        execute({TRIALS!r}, run, store={str(tmp_path)!r}, data={str(tmp_path)!r}, executor="serial")
    """
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 75 and not done.stderr and time.monotonic() - began < 15


def test_a_flag_is_seen_by_others_and_swept_when_stale(tmp_path, monkeypatch):
    flag = Flag.new(tmp_path)
    other = Flag(flag.path)
    assert not flag() and not other()
    flag.raise_()
    assert flag() and not other()  # looked a moment ago
    monkeypatch.setattr(stop, "POLL_SECONDS", 0.0)
    assert other()
    old = time.time() - 2 * stop.STALE_SECONDS
    os.utime(flag.path, (old, old))
    Flag.new(tmp_path)
    assert not flag.path.exists() and other()


def test_a_flag_on_a_full_disk_still_stops_this_process(tmp_path):
    (tmp_path / "file").touch()
    flag = Flag.new(tmp_path / "file" / "store")
    flag.raise_()
    assert flag()


def falling(resolved, store, data, report, stop):
    """Trials reach 30, 20 and 10 % Rank-1; each asks at every step."""
    for epoch in range(1, 10):
        report({"epoch": epoch, "epochs": 9, "val_R1": 30.0 - 10 * int(resolved["id"], 16)})
        if stop():
            return "stopped"
    return "ok"


def test_trials_that_fall_behind_are_given_up(tmp_path):
    events = []
    outcome = execute(tmp_path, falling, events, prune={"grace": 1, "factor": 2})
    assert outcome.finished == {"0000": "ok"} and set(outcome.pruned) == {"0001", "0002"} and not outcome.stopped
    assert outcome.pruned["0001"] == "val R1 20.0 after epoch 1 of 9 is not in the best 1/2 of its group"
    assert [e["trial"] for e in events if e["event"] == "pruned"] == ["0001", "0002"]
    groups = {"0000": "a", "0001": "b", "0002": "b"}
    assert set(execute(tmp_path, falling, prune={"factor": 2, "groups": groups}).pruned) == {"0002"}


def test_the_last_epoch_and_trials_without_validation_are_never_given_up():
    pruner = prune.Pruner(TRIALS, grace=1, factor=2)
    for value, trial in ((9.0, "0000"), (1.0, "0001")):
        assert not pruner.behind({"trial": trial, "epoch": 4, "epochs": 4, "val_R1": value})
        assert not pruner.behind({"trial": trial, "epoch": 2, "epochs": 4, "val_R1": None})
        assert not pruner.behind({"trial": trial, "epoch": 1, "epochs": 1, "val_R1": value})
    assert not pruner.behind({"trial": "0000", "epoch": 1, "epochs": 4, "val_R1": 9.0})
    assert pruner.behind({"trial": "0001", "epoch": 1, "epochs": 4, "val_R1": 1.0})
    for wrong in ({"grace": 0}, {"factor": 1}):
        with pytest.raises(ValueError, match="expected at least"):
            prune.Pruner(TRIALS, **wrong)


def test_trials_on_other_data_are_no_rivals():
    """A data set with other options is harder or easier, so falling behind there says nothing."""
    sizes = ("demo", "demo", "demo", "tiny")
    data = [{"dataset": "cuhk", "options": {"size": size}} for size in sizes]
    trials = [{"id": str(n), "trial": {"method": "m", "dataset": d}} for n, d in enumerate(data)]
    for last, stopped in (("3", False), ("2", True)):
        pruner = prune.Pruner(trials, grace=1, factor=2)
        for ident, value in (("0", 50.0), ("1", 40.0)):
            pruner.behind({"trial": ident, "epoch": 1, "epochs": 4, "val_R1": value})
        assert pruner.behind({"trial": last, "epoch": 1, "epochs": 4, "val_R1": 1.0}) == stopped
