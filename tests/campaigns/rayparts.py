"""Every process that Ray starts for a run on one machine is killed and frozen in turn, while `upbench run` is at work.

Each time the command must end with 75 and one line within a minute, and the same command must then complete the store
to tables equal to those of an undisturbed run. A worker that is killed ends nothing: its trial starts again. What dies
while Ray comes up may cost only another start of Ray, or nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from harness.execution.ray.guard import part
from tests.compare_stores import differences

LIMIT = 60.0  # seconds from the fault to the end of the command
PATIENCE = 600.0  # for a whole run on a busy machine
SURVIVED = ("worker", signal.SIGKILL)
PARTS = ("gcs_server", "raylet", "dashboard", "dashboard agent", "runtime environment agent", "log monitor", "monitor")
CASES = [(name, how) for name in (*PARTS, "worker") for how in (signal.SIGKILL, signal.SIGSTOP)]
STUDY = """
name: parts
question: Is the table the same, whatever of Ray dies?
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
seeds: [0, 1]
budgets: [2%]
recipe: {name: short, epochs: 3, batch: 32}
methods: [lora, prefix]
"""


def campaign(folder: Path, cases: list[tuple[str, signal.Signals]] = CASES) -> tuple[int, int, list[str]]:
    """Cases that held, cases, and what did not."""
    (folder / "parts.yaml").write_text(STUDY)
    code, out = finish(start(folder, "plain", "--executor", "serial"), PATIENCE)
    if code:
        return 0, len(cases), [f"the study cannot be run at all: {out[-300:]}"]
    passed, faults = 0, []
    for number, (name, how) in enumerate(cases):
        wrong = disturb(folder, f"store{number}", name, how, early=bool(number % 2))
        passed += not wrong
        faults += [f"{name}, {how.name}: {line}" for line in wrong]
    return passed, len(cases), faults


def disturb(folder: Path, store: str, name: str, how: signal.Signals, early: bool) -> list[str]:
    """What was wrong when one part got a signal: as soon as it is there, or when trials are under way."""
    run = start(folder, store)
    doomed = None
    began = time.monotonic()
    while not doomed and run.poll() is None and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
        if early or any((folder / store).glob("claims/*.json")):
            doomed = next((p for p in below(run.pid) if kind(p) == name), None)
    if not doomed:
        run.kill()
        return [f"no such process came up: {run.communicate()[0][-300:]}"]
    if early:
        time.sleep(2.0)  # Ray is up, and trials are being resolved
    began = time.monotonic()
    try:
        doomed.send_signal(how)
        code, out = finish(run, LIMIT if not early and (name, how) != SURVIVED else PATIENCE)
    except (psutil.Error, AssertionError) as error:
        run.kill()
        return [str(error)[-600:]]
    wrong, seconds = [], time.monotonic() - began
    print(f"  {name}, {how.name}, {'early' if early else 'late'}: {code} after {seconds:.0f} s", flush=True)
    errors = [line for line in out.splitlines() if line.startswith("upbench: error")]
    if code == 75 and (len(errors) != 1 or "same command continues" not in errors[0]):
        wrong.append(f"not one line: {errors}")
    if code == 75 and seconds > LIMIT:
        wrong.append(f"75 only after {seconds:.0f} s")
    if code != 75 and not (code == 0 and ((name, how) == SURVIVED or early)):
        wrong.append(f"exit code {code}: {out[-300:]}")
    if "Traceback" in out:
        wrong.append(f"a traceback: {out[-600:]}")
    code, out = finish(start(folder, store), PATIENCE)
    if code:
        wrong.append(f"it does not continue: {code}: {out[-300:]}")
    wrong += differences(folder / "plain", folder / store)
    shutil.rmtree(folder / store, ignore_errors=True)
    return wrong


def start(folder: Path, store: str, *more: str) -> subprocess.Popen:
    """`upbench run` of the study, with its output in a pipe."""
    command = [sys.executable, "-c", "from harness.cli.main import main; main()", "run", "parts.yaml"]
    command += ["--store", store, "--data", "data", "--workers", "2", *more]
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    told.pop("RAY_ADDRESS", None)
    return subprocess.Popen(command, cwd=folder, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(run: subprocess.Popen, seconds: float) -> tuple[int, str]:
    """Exit code and output; what hangs is killed and fails."""
    try:
        out, _ = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.kill()
        raise AssertionError(f"not over within {seconds:g} s: {run.communicate()[0]}") from None
    return run.returncode, out


def below(pid: int) -> list[psutil.Process]:
    """Living processes below one."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def kind(process: psutil.Process) -> str:
    """What it is of Ray; empty for what is not Ray's."""
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    name = part(process.pid)
    return name if name != "worker" or "ray::" in line else ""
