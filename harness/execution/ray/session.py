"""A Ray for the length of a run: begun on this machine, or a cluster that is joined and left running."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import parallel
from harness.errors import EnvironmentFault
from harness.execution.ray import cluster
from harness.execution.ray.environment import prepare, private
from harness.execution.ray.guard import Guard, end
from harness.store.files import processes

START_SECONDS = 150  # until a Ray of our own must be up, a second start on a machine under load included
JOIN_SECONDS = 240  # until a running one must have taken us in: more than the waits in `cluster` together
LEAVE_SECONDS = 2  # for a Ray that is still starting when the run is over

PREFIX, OWNER = "upb", "owner.json"
LONGEST = 26  # letters of the temporary folder: Ray keeps sockets below it, and their paths have about a hundred
IN_WORKERS = ("RAY_CHDIR_TO_TRIAL_DIR", "OMP_NUM_THREADS")


class Session:
    """Ray, begun in the background so that it comes up while trials are still being resolved.

    A Ray that this process has joined already is used as it is and left running, and so is one that is joined.

    Args:
        workers: Trials side by side; default one per GPU unless `device` is "cpu" or there is none, else one per core.
        threads: Intra-op threads of each trial.
        device: "cpu", "cuda" or "auto".
        address: Of a running Ray: "auto" for the one on this machine, or HOST:PORT. Default is the
            environment variable RAY_ADDRESS, and without it a Ray of its own on this machine.
        shared: Folders that every node of a joined cluster must see.
    """

    def __init__(
        self,
        workers: int | None,
        threads: int = 1,
        device: str = "auto",
        address: str | None = None,
        shared: Sequence[str | Path] = (),
    ) -> None:
        self.workers, self.threads, self.device = workers, threads, device
        self.address = address or os.environ.get("RAY_ADDRESS") or None
        self.shared = [str(Path(place).resolve()) for place in shared if "://" not in str(place)]
        self._error: BaseException | None = None
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base()))
        (self._folder / OWNER).write_text(json.dumps(processes.me()))
        self._guard = Guard(self.discard)
        self._set_back: Callable[[], None] | None = None  # the environment, after a Ray of our own
        self._began = time.monotonic()
        self._up, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """For what Tune writes; removed by `close`."""
        return self._folder / "tune"

    def close(self) -> None:
        """Stop the Ray begun here, or leave the one that was joined; remove what was written."""
        self._over.set()
        # A start that never came to an end is left to the end of this process, which ends what it started.
        self._thread.join(START_SECONDS if self._up.is_set() else LEAVE_SECONDS)
        self.discard()

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> int:
        """The number of workers, once Ray is up.

        Raises:
            EnvironmentFault: absent, failed to start, not up in time, no cluster at the address or an unfit one.
        """
        seconds = JOIN_SECONDS if self.address else START_SECONDS
        way_out = "a machine that runs Ray, or --executor serial"
        if self.address:
            way_out = "the address of a running head, or no --address and no RAY_ADDRESS to run on this machine alone"
        if not self._up.wait(max(0.0, self._began + seconds - time.monotonic())):
            problem = f"Ray did not start within {seconds} s"
            if self.address:
                problem = f"the Ray at {self.address} did not take us in within {seconds} s"
        elif isinstance(self._error, EnvironmentFault):
            raise self._error
        elif isinstance(self._error, ImportError):
            problem = f"Ray cannot be imported: {self._error}"
        elif isinstance(self._error, ConnectionError) and self.address == "auto":
            problem = "no Ray runs on this machine"
        elif self._error is not None and self.address:
            problem = f"the Ray at {self.address} cannot be joined: {' '.join(str(self._error).split())[:300]}"
        elif self._error is not None:
            problem = f"Ray did not start: {first_line(self._error)}"
        else:
            assert self.workers is not None  # counted by `_start`
            return self.workers
        raise EnvironmentFault(problem, expected=way_out, kept="all results")

    def _live(self, before: threading.Thread | None = None) -> None:
        if before:
            before.join()
        # Linux ends Ray's processes together with the thread that started them, so this one stays until `close`.
        ours = False
        try:
            ours = self._start()
        except BaseException as error:
            self._guard.close()
            if not self.address:
                end(str(self._folder))  # what is half up; agents would look for their node for minutes
            final = isinstance(error, (ImportError, EnvironmentFault))
            if not before and not self.address and not final and not self._over.is_set():
                # On a machine under load Ray's own 30 s may be too short, or a part of it is killed.
                told = f"upbench: Ray did not come up ({first_line(error)}); starting it once more"
                print(told, file=sys.stderr, flush=True)
                self._guard = Guard(self.discard)
                # In a thread of its own, so that the end of this one ends what is left of the first start.
                self._thread = threading.Thread(target=self._live, args=(self._thread,), daemon=True)
                self._thread.start()
                return
            self._error = error
        self._up.set()
        self._over.wait()
        self._guard.close()
        if ours:
            import ray

            ray.shutdown()
        if self._set_back:
            self._set_back()

    def _start(self) -> bool:
        """Start Ray, or join a running one; whether `close` has to end the connection."""
        prepare(self.threads)
        if self.address:
            cluster.reachable(self.address)
        elif not (known := sys.modules.get("ray")) or not known.is_initialized():
            self._set_back = self._set_back or private()
        import ray

        if not (joined := ray.is_initialized()):
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
            if not self.address:
                self._guard.start()
            ray.init(**quiet, **(self._joining() if self.address else self._own()))
        if self.address:
            cluster.fit(self.shared)
        found = ray.cluster_resources()
        gpus = 0 if self.device == "cpu" else int(found.get("GPU", 0))
        self.workers = self.workers or gpus or max(1, int(found.get("CPU", 1)) // self.threads)
        return not joined

    def _own(self) -> dict:
        return {
            "address": "local",
            "num_cpus": max(self.threads, self.workers * self.threads if self.workers else parallel.processors()),
            "include_dashboard": False,
            # Trials hand over a few kilobytes, so Ray's default of a third of the memory is not needed.
            "object_store_memory": 80 * 1024**2,
            "_temp_dir": str(self._folder),
        }

    def _joining(self) -> dict:
        return {"address": self.address, "runtime_env": {"env_vars": {name: os.environ[name] for name in IN_WORKERS}}}


def first_line(error: BaseException) -> str:
    """An error as one line."""
    return " ".join([type(error).__name__ + ":", *str(error).strip().splitlines()[:1]])


def _base() -> str:
    """Where temporary folders go, short enough for sockets."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST or not os.access("/tmp", os.W_OK) else "/tmp"


def _sweep() -> None:
    """Remove the temporary folders of killed runs: ours by user, whose owner is known and dead."""
    for owner in Path(_base()).glob(f"{PREFIX}*/{OWNER}"):
        with contextlib.suppress(OSError, ValueError):
            folder = owner.parent
            mine = not folder.is_symlink() and folder.stat().st_uid == os.getuid()
            if mine and processes.lives(json.loads(owner.read_text())) is False:
                shutil.rmtree(folder, ignore_errors=True)
