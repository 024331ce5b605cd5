"""A real study on a real cluster of two nodes, which lose a node, the head, or the driver half way.

Every trial must be committed exactly once, and the tables must be those of the serial run. `python -m
tests.campaigns.test_two_nodes [ROUNDS]` runs the loss of a node so often, at a different moment each time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.store.store import Store
from tests.campaigns.nodes import Nodes, wait_for
from tests.compare_stores import differences

pytestmark = pytest.mark.slow

STUDY = """
name: two
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
seeds: [0, 1]
budgets: [2%]
recipe: {name: short, epochs: 3, batch: 32}
methods: [lora, prefix, adapter]
"""
TRIALS = 6


def upbench(folder: Path, store: str, *more: str, **environment: str) -> subprocess.Popen:
    """`upbench run` of the study, with its output in a pipe."""
    (folder / "two.yaml").write_text(STUDY)
    command = [
        sys.executable,
        "-c",
        "from harness.cli.main import main; main()",
        "run",
        "two.yaml",
        "--store",
        store,
        "--data",
        "data",
        *more,
    ]
    told = {**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, cwd=folder, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen, seconds: float) -> tuple[int, str]:
    """Exit code and output; what hangs is killed and fails."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"hung: {process.communicate()[0]}") from None
    return process.returncode, out


def committed(folder: Path, store: str) -> int:
    """Trials with a commit record."""
    return len(Store(folder / store).ids())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the serial run in `serial`."""
    folder = tmp_path_factory.mktemp("two")
    code, out = finish(upbench(folder, "serial", "--executor", "serial"), 200)
    assert code == 0 and f"finished: {TRIALS} ok" in out, out
    return folder


def lose_a_node(folder: Path, store: str, after: int, wait: float = 0.0) -> tuple[str, float]:
    """Kill the second node when so many trials are committed, and so many seconds later; output and seconds."""
    with Nodes(2) as nodes:
        began = time.monotonic()
        run = upbench(folder, store, "--address", nodes.address)
        wait_for(lambda: committed(folder, store) >= after or run.poll() is not None, 120, "first trials")
        time.sleep(wait)
        assert run.poll() is None, run.communicate()[0]
        assert nodes.kill(1) >= 2
        code, out = finish(run, 240)
        assert code == 0, out
        assert nodes.raylets[0].is_running()  # a cluster that was joined is left running
        return out, time.monotonic() - began


def test_a_cluster_gives_what_the_serial_run_gives(folder):
    with Nodes(2) as nodes:
        code, out = finish(upbench(folder, "cluster", RAY_ADDRESS=nodes.address), 200)
        assert code == 0 and "ray: 2 side by side" in out and f"finished: {TRIALS} ok" in out, out
        assert all(process.is_running() for process in nodes.raylets)
    assert differences(folder / "serial", folder / "cluster") == []


def test_a_node_that_dies_loses_nothing(folder):
    out, _ = lose_a_node(folder, "node", after=2)
    assert "died" in out and f"finished: {TRIALS} ok" in out, out
    assert differences(folder / "serial", folder / "node") == []


def test_a_head_that_dies_ends_the_run_with_a_line_and_it_continues(folder):
    with Nodes(2) as nodes:
        run = upbench(folder, "head", "--address", nodes.address)
        wait_for(lambda: committed(folder, "head") >= 2 or run.poll() is not None, 120, "first trials")
        nodes.kill_head()
        began = time.monotonic()
        code, out = finish(run, 60)
    assert code == 75 and "same command continues" in out and "head of the Ray cluster" in out, out
    assert "Traceback" not in out and time.monotonic() - began < 45
    left = committed(folder, "head")
    assert 2 <= left < TRIALS
    code, out = finish(upbench(folder, "head"), 200)
    assert code == 0 and f"{TRIALS - left} to run, {left} already done" in out, out
    assert differences(folder / "serial", folder / "head") == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_stopped_run_continues_where_it_was(folder, name):
    store = f"stop-{name}"
    with Nodes(2) as nodes:
        run = upbench(folder, store, "--address", nodes.address)
        wait_for(lambda: committed(folder, store) >= 2 or run.poll() is not None, 120, "first trials")
        run.send_signal(getattr(signal, name))
        # 30 s are the trials' to keep their state; the rest is for Ray to end on a machine under load.
        code, out = finish(run, 90)
        assert code == 75 and "same command continues" in out and "Traceback" not in out, out
        code, out = finish(upbench(folder, store, "--address", nodes.address), 200)
        assert code == 0, out
    assert differences(folder / "serial", folder / store) == []


def main(rounds: int) -> None:
    """The loss of a node at `rounds` moments, one line each."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        assert finish(upbench(folder, "serial", "--executor", "serial"), 300)[0] == 0
        for number in range(rounds):
            out, seconds = lose_a_node(folder, f"node{number}", after=number % 4, wait=0.7 * (number // 4))
            faults = differences(folder / "serial", folder / f"node{number}")
            print(f"{number}: {seconds:.0f} s, {out.count('died')} workers lost, {faults or 'equal'}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
