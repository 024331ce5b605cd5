"""The real command, `upbench run` of a small study, killed at random moments and started again until it is through.

Every try is a fork of one warmed process, so that the imports of torch are paid once; what runs in it is the command
line's own entry. Checkpoints are due after every epoch here, because the trials are short.
"""

from __future__ import annotations

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

    Ends early, with fewer kills, when `seconds` are over. The code must not change meanwhile: it is part of a trial's
    identity.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    from harness import checkpoint, trial  # noqa: F401  what every try would import by itself
    from tests.compare_stores import differences

    checkpoint.GAP_SECONDS = checkpoint.COST_FACTOR = 0.0
    study = folder / "killed.yaml"
    study.write_text(STUDY)
    plain, rng = folder / "plain", np.random.default_rng(seed)
    began = time.monotonic()
    if code := _finish(_start(folder, study, folder / "first")):  # draws the data
        return 0, 1, [f"the study cannot be run at all: {code}"]
    clock = time.monotonic()
    _finish(_start(folder, study, plain))
    whole = time.monotonic() - clock
    faults = [f"two uninterrupted runs: {line}" for line in differences(plain, folder / "first")]
    passed = done = series = resumes = 0
    while done < kills and time.monotonic() - began < seconds:
        series += 1
        store, here = folder / f"store{series}", 0
        while True:
            child = _start(folder, study, store)
            # Later and later in one store, so that a machine that slows down lets it come through some time.
            go_on = done + here < kills and time.monotonic() - began < seconds
            ended = _wait(child, rng.uniform(0.0, whole * 1.1**here)) if go_on else _finish(child)
            if ended is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                here += 1
            elif ended == 0:
                break
            else:
                faults.append(f"series {series}: a try after {here} kills ended with {ended}")
                return passed, done + here, faults
        lines = differences(plain, store)
        if left := [path for path in store.rglob(".tmp-*")]:
            lines.append(f"left: {left[:3]}")
        passed += 0 if lines else here
        faults += [f"series {series}: {line}" for line in lines]
        done += here
        resumes += _resumes(store)
        shutil.rmtree(store)
    print(f"  {done} kills in {series} stores, one run {whole:.1f} s, {resumes} resumptions from checkpoints")
    return passed, done, faults


def _start(folder: Path, study: Path, store: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        with open(folder / "log", "ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        from harness import cli

        places = ("--store", str(store), "--data", str(folder / "data"))
        code = cli.call(["run", str(study), "--executor", "serial", *places])
    finally:
        os._exit(code)


def _finish(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _wait(child: int, seconds: float) -> int | None:
    """Exit code, or None when it still runs after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def _resumes(store: Path) -> int:
    from harness.store import Store

    found = Store(store)
    return int(found.measured(sorted(found.ids()), ("trials",))["trials"]["resumes"].fillna(0).sum())
