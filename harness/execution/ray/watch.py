"""No wait without an end: is the cluster's head alive, and does any trial get a worker?"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.execution.outcome import Ledger
from harness.execution.ray.stop import Interrupter

LOOK_SECONDS = 2.0
LOST_SECONDS = 10.0  # without an answer from the head
IDLE_NOTICE = 30.0  # without a worker for any trial, until it is told
IDLE_SECONDS = 900.0  # until it ends the run; a cluster that grows by itself may need minutes
LEAVE_SECONDS = 5.0  # for the main thread to end once it is interrupted


class Watch:
    """Looks at the head from a thread of its own, and at idle workers with every `beat`; ends the run by interrupt.

    Args:
        ledger: Gets notices, and the reason for an end.
        need: Resources of a trial.
        interrupter: Of the thread that waits for trials.
        last: Called before the process is ended, when the interrupt did not help.
    """

    def __init__(
        self, ledger: Ledger, need: Mapping[str, float], interrupter: Interrupter, last: Callable[[], None]
    ) -> None:
        import ray

        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self._head = (host.strip("[]"), int(port))
        self._ledger, self._need, self._interrupter, self._last = ledger, need, interrupter, last
        self._over = threading.Event()
        self._busy = self._noticed = time.monotonic()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def beat(self, trials: Sequence[Any]) -> None:
        """Called in the waiting thread many times a minute."""
        now = time.monotonic()
        if self._ledger.running or all(trial.is_finished() for trial in trials):
            self._busy = now
        idle = now - self._busy
        if idle > IDLE_SECONDS:
            self._ledger.outcome.reason = f"no worker for {IDLE_SECONDS / 60:g} min: {self._lack()}"
            raise KeyboardInterrupt
        if idle > IDLE_NOTICE and now - self._noticed > IDLE_NOTICE:
            self._noticed = now
            self._ledger.tell({"event": "notice", "text": f"no worker for {idle:.0f} s: {self._lack()}"})

    def _lack(self) -> str:
        import ray

        total, free = ray.cluster_resources(), ray.available_resources()
        return "; ".join(
            f"a trial needs {amount:g} {name.upper()}, the cluster has {total.get(name.upper(), 0):g}, "
            f"{free.get(name.upper(), 0):g} of them free"
            for name, amount in self._need.items()
        )

    def _look(self) -> None:
        answered = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            try:
                socket.create_connection(self._head, LOOK_SECONDS).close()
                answered = time.monotonic()
            except OSError:
                if time.monotonic() - answered > LOST_SECONDS:
                    break
        else:
            return
        reason = f"the head of the Ray cluster at {self._head[0]}:{self._head[1]} is gone"
        self._ledger.outcome.reason = reason
        self._interrupter.now()
        if self._interrupter.able and not self._over.wait(LEAVE_SECONDS):
            # Ray's own threads may hold the main one for minutes; what is committed is on disk.
            self._last()
            print(f"upbench: error: stopped: {reason}; the same command continues", file=sys.stderr, flush=True)
            os._exit(75)
