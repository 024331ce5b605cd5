"""Every process that Ray starts for a run on one machine is looked at, from the first on; the run ends with 75 when one
dies or freezes.

Ray itself may wait for minutes, or end this process with a code of its own, so nothing here asks Ray: states come from
/proc. Workers may die, since their trials start again; one that is frozen counts like the others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from harness.execution.ray import keeper
from harness.store.files import processes

LOOK_SECONDS = 0.5
FROZEN_SECONDS = 10.0  # a debugger or a moment's Ctrl-Z is no fault
# What Ray's processes have in their command lines; its agents are children of the raylet, as workers are.
PARTS = {
    "raylet/raylet ": "raylet",  # first: it is told how to start its agents
    "gcs/gcs_server ": "gcs_server",
    "RuntimeEnvAgent": "runtime environment agent",
    "runtime_env/agent": "runtime environment agent",
    "DashboardAgent": "dashboard agent",
    "dashboard/agent": "dashboard agent",
    "dashboard.py": "dashboard",
    "log_monitor.py": "log monitor",
    "monitor.py": "monitor",
}


class Guard:
    """Looks from a thread of its own until `close`.

    Args:
        last: Called before the process is ended.
    """

    def __init__(self, last: Callable[[], None]) -> None:
        self._last = last
        self._over = threading.Event()
        self._frozen: dict[int, float] = {}  # pid -> seconds
        self._seen: dict[int, str] = {}  # pid -> what it is
        self._sure: set[int] = set()  # pids whose name was the same twice: between fork and exec one has its parent's
        self._thread = threading.Thread(target=self._look, name="guard of Ray", daemon=True)

    def start(self) -> None:
        """Begin, before Ray does."""
        self._thread.start()

    def close(self) -> None:
        """Ray is about to be stopped."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if (problem := self._problem()) and not self._over.is_set():
                return self._end(problem)

    def _problem(self) -> str | None:
        for pid in descendants(os.getpid()):
            if processes.state(pid) not in "Z?" and (name := part(pid)):
                if self._seen.get(pid) == name:
                    self._sure.add(pid)
                else:  # a process shows its own name some time after its start
                    self._seen[pid] = name
                    self._sure.discard(pid)
        for pid, name in list(self._seen.items()):
            state = processes.state(pid)
            if state in "Z?":
                sure = pid in self._sure
                del self._seen[pid]
                self._sure.discard(pid)
                self._frozen.pop(pid, None)
                if name != "worker" and sure:
                    return f"Ray's {name} (pid {pid}) died"
            elif state == "T":
                self._frozen[pid] = self._frozen.get(pid, 0.0) + LOOK_SECONDS
                if self._frozen[pid] >= FROZEN_SECONDS:
                    return f"Ray's {name} (pid {pid}) is frozen"
            else:
                self._frozen.pop(pid, None)
        return None

    def _end(self, problem: str) -> None:
        keeper.TOLD[0] = 1  # Ray may end this process as soon as more of it is gone
        print(f"upbench: error: stopped: {problem}; the same command continues", file=sys.stderr, flush=True)
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            self._last()
        os._exit(75)


def end(word: str) -> None:
    """Kill the processes below this one that have a word in their command lines."""
    for pid in descendants(os.getpid()):
        if word in _line(pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def part(pid: int) -> str:
    """What a process of Ray is, by its command line."""
    line = _line(pid)
    return next((name for words, name in PARTS.items() if words in line), "worker")


def _line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def descendants(pid: int) -> set[int]:
    """Processes below one, those that are dead but not reaped among them; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (parent := processes.parent(int(entry))):
                children.setdefault(parent, []).append(int(entry))
    found: set[int] = set()
    todo = [pid]
    while todo:
        fresh = children.get(todo.pop(), [])
        found.update(fresh)
        todo += fresh
    return found
