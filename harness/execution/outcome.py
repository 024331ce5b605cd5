"""What became of the trials of one run, kept while their events arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
ENDS = ("finished", "lost", "pruned", "stopped")


@dataclass
class Outcome:
    """What became of the trials of one `execute`.

    Attributes:
        finished: id -> status of its committed row.
        lost: id -> why there are no numbers; its row, `lost`, is for the next run to try again.
        pruned: id -> why it was given up before its last epoch; nothing is committed.
        busy: Seconds inside trials, summed over workers.
        stopped: Whether the run ended before all trials were through.
        reason: Why it did, when it was no signal.
    """

    finished: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    pruned: dict[str, str] = field(default_factory=dict)
    busy: float = 0.0
    stopped: bool = False
    reason: str | None = None

    def ended(self, ident: str) -> bool:
        """Whether nothing more is to be expected of a trial."""
        return ident in self.finished or ident in self.lost or ident in self.pruned

    @property
    def count(self) -> int:
        """Trials of which nothing more is to be expected."""
        return len(self.finished) + len(self.lost) + len(self.pruned)


class Ledger:
    """Takes events in, keeps the outcome and which trials are under way, and passes the events on, each end once.

    Args:
        on_event: As for `execute`.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self.outcome = Outcome()
        self.running: dict[str, float] = {}  # id -> monotonic time of its start
        self._on_event = on_event

    def tell(self, event: Event) -> None:
        """Take in one event."""
        ident, kind, outcome = str(event.get("trial", "")), event["event"], self.outcome
        if kind == "started":
            self.running[ident] = time.monotonic()
        elif kind == "died":
            self.running.pop(ident, None)
        elif kind in ENDS:
            began = self.running.pop(ident, None)
            if outcome.ended(ident):
                return
            event.setdefault("seconds", time.monotonic() - began if began else 0.0)
            outcome.busy += event["seconds"]
            if kind == "finished":
                outcome.finished[ident] = event["status"]
            elif kind == "lost":
                outcome.lost[ident] = event["reason"]
            elif kind == "pruned":
                outcome.pruned[ident] = event["reason"]
        self._on_event(event)
