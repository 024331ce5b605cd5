"""A Ray of our own is for this run alone: on the loopback address, and with a token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import rayparts

ROOT = Path(__file__).parents[4]
ALONE = """
import os, subprocess, sys
import psutil
from harness.execution.ray.session import Session
session = Session(1)
session.wait()
import ray
for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
    for c in process.net_connections():
        if c.status == "LISTEN" and c.laddr.ip.rpartition(":")[2] not in ("127.0.0.1", "1"):
            print("open:", process.name(), c.laddr)
    assert os.environ["RAY_AUTH_TOKEN"] not in " ".join(process.cmdline())
address = ray.get_runtime_context().gcs_address
for token in ("b" * 64, os.environ["RAY_AUTH_TOKEN"]):
    told = {**os.environ, "RAY_AUTH_TOKEN": token}
    ask = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    print(subprocess.run(ask, env=told, capture_output=True).returncode)
session.close()
"""


IMPORTED = """
import ray
from harness.execution.ray.session import Session
for _ in range(2):
    session = Session(1)
    print(session.wait())
    session.close()
"""


@pytest.mark.slow
def test_a_ray_imported_before_ours_has_its_token_too():
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == ["1", "1"], done.stdout + done.stderr


@pytest.mark.slow
def test_no_stranger_reaches_a_ray_of_our_own():
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == ["1", "0"], done.stdout + done.stderr


@pytest.mark.slow
def test_a_raylet_that_is_killed_ends_the_run_with_a_line_and_it_continues(tmp_path):
    passed, cases, faults = rayparts.campaign(tmp_path, [("raylet", rayparts.signal.SIGKILL)])
    assert (passed, cases) == (1, 1), faults
