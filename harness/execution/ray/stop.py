"""Stopping a run: the first signal asks trials to keep their state and end, a second one ends the process at once.

The request is a file below the store, since a trial may run in another process or on another machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.store.files import processes

STOP_SECONDS = 30.0  # for trials under way to keep their state, once asked to stop
POLL_SECONDS = 0.25  # between two looks for the request, which may lie on a network drive
STALE_SECONDS = 24 * 3600.0  # age of a request that a run on another host left behind


class Flag:
    """A request to stop that every process sees that sees `path`; cheap to ask at every step.

    Attributes:
        raised: Whether this process knows of it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.raised, self._looked = False, float("-inf")

    @classmethod
    def new(cls, store: str | Path) -> Flag:
        """A flag of its own for one run; those that killed runs left behind are removed."""
        with contextlib.suppress(OSError):
            for old in Path(store).glob("stop-*"):
                owner = processes.owner_of(old.name)
                dead = owner is not None and processes.lives(owner) is False
                if dead or time.time() - old.stat().st_mtime > STALE_SECONDS:
                    old.unlink()
        return cls(Path(store) / processes.temporary("stop").removeprefix(processes.TEMPORARY))

    def raise_(self) -> None:
        """Ask all trials of the run to stop."""
        self.raised = True
        with contextlib.suppress(OSError):  # trials in this process see it all the same
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        now = time.monotonic()
        if not self.raised and now - self._looked >= POLL_SECONDS:
            self._looked = now
            self.raised = self.path.exists()
        return self.raised

    def remove(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.path.unlink()


class Interrupter:
    """Ends what the main thread does: a `KeyboardInterrupt` in it, and if that does not help, the process."""

    def __init__(self) -> None:
        self.due = False  # the next signal is ours and means: now
        self._main = threading.main_thread()
        self.able = threading.current_thread() is self._main

    def now(self) -> None:
        """Interrupt the main thread; callable from any thread."""
        if self.able and self._main.ident is not None:
            self.due = True
            signal.pthread_kill(self._main.ident, signal.SIGINT)


@contextlib.contextmanager
def stoppable(
    flag: Flag, patient: bool, on_stop: Callable[[], None], interrupter: Interrupter | None = None
) -> Iterator[None]:
    """Signals inside the block stop it; whoever catches no signal, as outside the main thread, changes nothing.

    Args:
        flag: Raised by the first signal.
        patient: Whether the trials look at the flag. If so they have `STOP_SECONDS` to keep their state.
        on_stop: Called in the signal handler, once.
        interrupter: Of the thread that runs the block.
    """
    interrupter = interrupter or Interrupter()
    if not interrupter.able:
        yield
        return
    timer: threading.Timer | None = None

    def caught(number: int, frame: object) -> None:
        nonlocal timer
        if interrupter.due:
            interrupter.due = False
            raise KeyboardInterrupt
        if flag.raised:
            os._exit(75)
        flag.raise_()
        on_stop()
        if not patient:
            raise KeyboardInterrupt
        timer = threading.Timer(STOP_SECONDS, interrupter.now)
        timer.daemon = True
        timer.start()

    handled = [signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
    before = {name: signal.signal(name, caught) for name in handled}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if timer:
            timer.cancel()
        for name, handler in before.items():
            signal.signal(name, handler)
        flag.remove()
