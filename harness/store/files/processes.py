"""Who owns something, and does that process still live? Told by host, boot, pid and the time the process started."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import uuid
from functools import cache
from pathlib import Path

TEMPORARY = ".tmp-"


def me() -> dict[str, str | int]:
    """This process: `host` and `boot` as eight digits, `pid`, `started` (kernel ticks) and the host's `name`."""
    pid = os.getpid()
    return {"host": host(), "boot": boot(), "pid": pid, "started": started(pid), "name": socket.gethostname()}


def lives(owner: dict) -> bool | None:
    """Whether a process as `me` described it is running; None when it is on another host and cannot be asked."""
    if owner.get("host") != host():
        return None
    if owner.get("boot") != boot():
        return False
    try:
        pid = int(owner["pid"])
        os.kill(pid, 0)
    except (ProcessLookupError, KeyError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass
    # A zombie that waits to be reaped runs nothing any more.
    return started(pid) == str(owner.get("started")) and state(pid) != "Z"


def temporary(name: str) -> str:
    """A name for what is being written: hidden, unique, and telling its owner."""
    pid = os.getpid()
    return f"{TEMPORARY}{name}-{host()}-{boot()}-{pid}-{started(pid)}-{uuid.uuid4().hex[:8]}"


def owner_of(name: str) -> dict | None:
    """The owner that `temporary` wrote into a name; None where it tells none."""
    parts = name.rsplit("-", 5)
    return dict(zip(("host", "boot", "pid", "started"), parts[1:5], strict=True)) if len(parts) == 6 else None


@cache
def host() -> str:
    """This host and process namespace, since containers on one machine may share its name and boot."""
    with contextlib.suppress(OSError):
        return _short(socket.gethostname() + os.readlink("/proc/self/ns/pid"))
    return _short(socket.gethostname())


@cache
def boot() -> str:
    """This run of the machine; a pid means nothing beyond it."""
    with contextlib.suppress(OSError):
        return _short(Path("/proc/sys/kernel/random/boot_id").read_text())
    return _short("")


def started(pid: int) -> str:
    """Start of a process in kernel ticks, which tells a reused pid apart; '0' where the system does not tell."""
    return _stat(pid, 19, "0")


def state(pid: int) -> str:
    """State of a process as the kernel has it, such as R, S or Z; '?' where the system does not tell."""
    return _stat(pid, 0, "?")


def parent(pid: int) -> int:
    """Its parent; 0 where the system does not tell."""
    return int(_stat(pid, 1, "0"))


def _stat(pid: int, index: int, otherwise: str) -> str:
    # The program's name stands in brackets and may hold anything, brackets among it.
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[index]
    return otherwise


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
