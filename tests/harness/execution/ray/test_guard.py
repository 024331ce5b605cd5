"""What ends a run on one machine from outside: parts of Ray that die or freeze; and what killed runs leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.execution.ray import environment, guard, session
from harness.execution.ray.stop import Flag
from harness.store.files import processes

GUARDED = """
import subprocess, sys, time
from harness.execution.ray import guard
from harness.execution.ray.keeper import kept
guard.FROZEN_SECONDS = 1.0
def work():
    part = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "x/gcs/gcs_server "])
    guard.Guard(lambda: open("last", "w").close()).start()
    time.sleep(1.2)
    print(part.pid, flush=True)
    time.sleep(60)
sys.exit(kept(work))
"""


@pytest.mark.parametrize("how, word", [(signal.SIGKILL, "died"), (signal.SIGSTOP, "is frozen")])
def test_a_part_of_ray_that_dies_or_freezes_ends_the_run_with_a_line(tmp_path, how, word):
    run = _python(GUARDED, tmp_path)
    pid = int(run.stdout.readline())
    os.kill(pid, how)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 75
    assert err == f"upbench: error: stopped: Ray's gcs_server (pid {pid}) {word}; the same command continues\n"
    assert (tmp_path / "last").exists() and processes.state(pid) in "Z?"


@pytest.mark.parametrize(
    "work, code, words",
    [
        ("os._exit(1)", 75, "stopped: the run's process was ended with 1, not by upbench; the same command continues"),
        ("os.kill(os.getpid(), 6)", 75, "was ended by signal 6"),
        ("os._exit(5)", 5, ""),
    ],
)
def test_the_exit_code_is_ours_whatever_ends_the_process(tmp_path, work, code, words):
    text = f"import os, sys\nfrom harness.execution.ray.keeper import kept\nsys.exit(kept(lambda: {work}))"
    run = _python(text, tmp_path)
    _, err = run.communicate(timeout=20)
    assert run.returncode == code and words in err and len(err.splitlines()) == bool(words)


def test_a_signal_reaches_the_run_and_its_end_takes_the_run_along(tmp_path):
    text = """
import os, signal, sys, time
from harness.execution.ray.keeper import kept
def work():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(4))
    print(os.getpid(), flush=True)
    time.sleep(60)
sys.exit(kept(work))
"""
    run = _python(text, tmp_path)
    run.stdout.readline()
    run.terminate()
    assert run.wait(20) == 4
    run = _python(text, tmp_path)
    pid = int(run.stdout.readline())
    run.kill()
    run.wait(20)
    for _ in range(100):
        if processes.state(pid) in "Z?":
            break
        subprocess.run(["sleep", "0.05"])
    assert processes.state(pid) in "Z?"


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_base", lambda: str(tmp_path))
    owners = {
        "upbdead": {**processes.me(), "started": "1"},
        "upbmine": processes.me(),
        "upbfar": {**processes.me(), "host": "f" * 8},
        "otherdead": {**processes.me(), "started": "1"},
    }
    for name, owner in owners.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / session.OWNER).write_text(json.dumps(owner))
    (tmp_path / "upbnone").mkdir()
    session._sweep()
    assert {path.name for path in tmp_path.iterdir()} == {"upbmine", "upbfar", "otherdead", "upbnone"}
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    (tmp_path / "upbmine" / session.OWNER).write_text(json.dumps(owners["upbdead"]))
    session._sweep()
    assert (tmp_path / "upbmine").exists(), "another user's"


def test_the_flag_of_a_dead_run_is_removed_and_that_of_a_living_one_stays(tmp_path):
    living = Flag.new(tmp_path)
    living.raise_()
    me = processes.me()
    dead = tmp_path / f"stop-{me['host']}-{me['boot']}-{me['pid']}-1-0123abcd"
    dead.touch()
    Flag.new(tmp_path)
    assert living.path.exists() and not dead.exists()


def test_a_token_of_our_own_is_set_and_set_back(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    back = environment.private()
    assert os.environ["RAY_AUTH_MODE"] == "token" and len(os.environ["RAY_AUTH_TOKEN"]) == 64
    back()
    assert os.environ["RAY_AUTH_MODE"] == "disabled" and "RAY_AUTH_TOKEN" not in os.environ


def test_a_part_is_told_by_its_command_line(monkeypatch):
    lines = {
        "raylet": b"/x/raylet/raylet\0--dashboard_agent_command=/x/dashboard/agent.py\0",
        "runtime environment agent": b"ray::RuntimeEnvAgent\0",
        "log monitor": b"python\0/x/_private/log_monitor.py\0",
        "worker": b"ray::IDLE\0",
    }
    for name, line in lines.items():
        monkeypatch.setattr(Path, "read_bytes", lambda self, line=line: line)
        assert guard.part(1) == name


def _python(text: str, folder: Path) -> subprocess.Popen:
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", text], cwd=folder, env=told, **pipes)
