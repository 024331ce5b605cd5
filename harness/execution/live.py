"""What a run is doing right now, kept below the store for `upbench status --watch`; of no use once it is over.

live/<study>.json    counts, trials under way, failures so far, time left; replaced whole every few seconds
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

WRITE_SECONDS = 2.0
QUIET_SECONDS = 60.0  # without a sign of life, after which a run is taken for gone


class Live:
    """Writes the file; a disk that is full or read-only costs only the view.

    Args:
        store: Folder of results.
        study: Name.
    """

    def __init__(self, store: str | Path, study: str) -> None:
        self._path = Path(store) / "live" / f"{study}.json"
        self._written = float("-inf")

    def write(self, state: Mapping[str, object], now: bool = False) -> None:
        """Replace the file, unless it is fresh; `now` in any case."""
        clock = time.monotonic()
        if not now and clock - self._written < WRITE_SECONDS:
            return
        self._written = clock
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), **state}, default=str)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_name(f".{self._path.name}-{os.getpid()}")
            fresh.write_text(text, encoding="utf-8")
            os.replace(fresh, self._path)

    def remove(self) -> None:
        """The run is over."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def read(store: str | Path, study: str) -> dict | None:
    """The state of a run under way, with `silent`, the seconds since it was written; None when there is none.

    A run that was killed is told by its process being gone, or by its silence when it ran on another machine.
    """
    path = Path(store) / "live" / f"{study}.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        silent = max(0.0, time.time() - path.stat().st_mtime)
    except (OSError, ValueError):
        return None
    gone = silent > QUIET_SECONDS
    if state.get("host") == socket.gethostname():
        gone = not _alive(state["pid"])
    return None if gone else {**state, "silent": silent}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
