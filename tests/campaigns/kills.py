"""The real command, `upbench run` of a small study, killed at random moments and started again until it is through.

Every try is a fork of one warmed process, so that what torch does at first use is paid once; what runs in it is the
command line's own entry. The moment of a kill is drawn in processor time of the try, so that a slow or shared machine
meets the same moments as a quiet one. Checkpoints are due after every epoch here, because the trials are short.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np

STUDY = """
name: killed
question: Is the table the same after any number of kills?
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
seeds: [0]
budgets: [2%]
recipe: {name: short, epochs: 2, batch: 32}
methods: [zero_shot, {method: lora, options: {targets: [k, v]}}]
"""


def campaign(folder: Path, kills: int = 200, seconds: float = 3600.0, seed: int = 0) -> tuple[int, int, list[str]]:
    """Kills after which the finished store was equal to that of an uninterrupted run, kills, and what differed.

    That fewer kills than asked for were done in `seconds` is among what went wrong. The code must not change meanwhile:
    it is part of a trial's identity.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    from harness.trial import checkpoint
    from tests.compare_stores import differences

    checkpoint.GAP_SECONDS = checkpoint.COST_FACTOR = 0.0
    study = folder / "killed.yaml"
    study.write_text(STUDY)
    plain, rng = folder / "plain", np.random.default_rng(seed)
    began = time.monotonic()
    # In this process, which warms it, and draws the data.
    with open(folder / "log", "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        code = _run(folder, study, folder / "first")
    if code:
        return 0, kills, [f"the study cannot be run at all: {code}"]
    whole, code = _busy(_start(folder, study, plain))
    faults = [f"two uninterrupted runs: {line}" for line in differences(plain, folder / "first")]
    if code:
        return 0, kills, [f"a fork cannot run the study: {code}"]
    passed = done = series = resumes = 0
    while done < kills and time.monotonic() - began < seconds:
        series += 1
        store, here = folder / f"store{series}", 0
        while True:
            child = _start(folder, study, store)
            # Later and later in one store, so that it comes through some time.
            if done + here < kills and time.monotonic() - began < seconds:
                ended = _wait(child, rng.uniform(0.0, whole * 1.1**here))
            else:
                ended = _finish(child)
            if ended is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                here += 1
            elif ended == 0:
                break
            else:
                faults.append(f"series {series}: a try after {here} kills ended with {ended}")
                return passed, kills, faults
        lines = differences(plain, store)
        if left := [path for path in store.rglob(".tmp-*")]:
            lines.append(f"left: {left[:3]}")
        passed += 0 if lines else here
        faults += [f"series {series}: {line}" for line in lines]
        done += here
        resumes += _resumes(store)
        shutil.rmtree(store)
    print(f"  {done} kills in {series} stores, one run {whole:.1f} s busy, {resumes} resumptions from checkpoints")
    if done < kills:
        faults.append(f"{done} kills of {kills} in {seconds:.0f} s")
    return passed, kills, faults


def _run(folder: Path, study: Path, store: Path) -> int:
    from harness.cli import main

    places = ("--store", str(store), "--data", str(folder / "data"))
    return main.call(["run", str(study), "--executor", "serial", *places])


def _start(folder: Path, study: Path, store: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        with open(folder / "log", "ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        code = _run(folder, study, store)
    finally:
        os._exit(code)


def _finish(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _busy(child: int) -> tuple[float, int]:
    """Seconds of processor time that a child took, and its exit code."""
    _, status, used = os.wait4(child, 0)
    return used.ru_utime + used.ru_stime, os.waitstatus_to_exitcode(status)


def _wait(child: int, seconds: float) -> int | None:
    """Exit code, or None when it still runs after so many seconds of its processor time."""
    clock = ((~child) << 3) | 2  # as clock_getcpuclockid has it
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):  # it ended just now
            if time.clock_gettime(clock) > seconds:
                return None
        time.sleep(0.002)


def _resumes(store: Path) -> int:
    from harness.store.store import Store

    found = Store(store)
    return int(found.measured(sorted(found.ids()), ("trials",))["trials"]["resumes"].fillna(0).sum())
