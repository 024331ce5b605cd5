"""A real Ray cluster of several nodes on one machine, with nodes that can be killed without a word."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

# No token and no telemetry; workers at the niceness of this process.
QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
}


class Nodes:
    """A head and worker nodes of one CPU each, started by `ray start`; use as a context manager.

    Attributes:
        address: HOST:PORT of the head.
        raylets: The process of each node, the head first.
    """

    def __init__(self, count: int = 2, cpus: int = 1) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="upn", dir="/tmp"))  # short: sockets lie below it
        self.environment = {**os.environ, **QUIET}
        self.environment.pop("RAY_ADDRESS", None)
        self.raylets: list[psutil.Process] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        try:
            self._ray("--head", f"--port={port}", f"--temp-dir={self.folder}", "--include-dashboard=false", cpus=cpus)
            for _ in range(count - 1):
                self.add(cpus)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, cpus: int = 1) -> None:
        """Start one more node."""
        self._ray(f"--address={self.address}", cpus=cpus)

    def kill(self, number: int) -> int:
        """Kill a node: its raylet, its workers and its agents at once; how many processes."""
        doomed = [self.raylets[number], *self.raylets[number].children(recursive=True)]
        return _kill(doomed)

    def kill_head(self) -> int:
        """Kill the head's server and node."""
        return _kill([p for p in self._processes() if "gcs_server" in _name(p)]) + self.kill(0)

    def close(self) -> None:
        """Kill what is left and remove the files."""
        _kill(self._processes())
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ray(self, *arguments: str, cpus: int) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, f"--num-cpus={cpus}"]
        command += ["--object-store-memory=80000000", "--disable-usage-stats"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=90)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        known = {process.pid for process in self.raylets}
        (fresh,) = (p for p in self._processes() if _name(p) == "raylet" and p.pid not in known)
        self.raylets.append(fresh)

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                if str(self.folder) in line or process.environ().get("RAY_SESSION_DIR", "").startswith(
                    str(self.folder)
                ):
                    found.append(process)
            except psutil.Error:
                continue
        own = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
        return [p for p in found if p.pid not in own]


def _name(process: psutil.Process) -> str:
    try:
        return Path(process.cmdline()[0]).name
    except (psutil.Error, IndexError):
        return ""


def _kill(processes: list[psutil.Process]) -> int:
    killed = 0
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
            killed += 1
        except psutil.Error:
            continue
    psutil.wait_procs(processes, timeout=5)
    return killed


def wait_for(condition, seconds: float, what: str) -> None:
    """Return as soon as `condition()` is true.

    Raises:
        AssertionError: not within so many seconds.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
