"""A run as it goes on: a live table on a terminal, one line per finished trial elsewhere; both fit 80 columns."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from harness.execution.live import WRITE_SECONDS, Live
from harness.execution.pace import Pace

if TYPE_CHECKING:
    from rich.live import Live as View

Event = Mapping[str, Any]
OVERVIEW_SECONDS = 60.0  # between two lines on how far a run is, where there is no table


class Progress:
    """Shows the events of `tune.execute`; use as a context manager and pass `on_event`.

    Args:
        trials: id -> resolved trial, all that will run.
        workers: Trials side by side.
        stream: Where to write; default standard output.
        live: A redrawn table; default where the stream is a terminal.
        seen: Where others can follow.
    """

    def __init__(
        self,
        trials: Mapping[str, dict],
        workers: int,
        stream: IO[str] | None = None,
        live: bool | None = None,
        seen: Live | None = None,
    ) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty() if live is None else live
        self.trials, self.workers = trials, workers
        self.statuses: Counter[str] = Counter()
        self._running: dict[str, dict] = {}
        self._began = time.monotonic()
        self._done = 0.0  # trials, with the finished part of those under way
        self._view: View | None = None
        self._seen, self._over = seen, threading.Event()
        self._failed: list[dict] = []
        self._pace = Pace(trials, workers)
        self._told = self._began

    def __enter__(self) -> Progress:
        if self.live:
            from rich.console import Console
            from rich.live import Live as View

            console = Console(file=self.stream)
            self._view = View(console=console, refresh_per_second=4, transient=True, get_renderable=self.table)
            self._view.start()
        threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._view is not None:
            self._view.stop()
        if self._seen:
            self._seen.remove()

    def _tick(self) -> None:
        # Epochs may take hours; whoever follows must still see that the run is alive.
        while not self._over.wait(WRITE_SECONDS):
            if self._seen:
                self._seen.write(self.state())
            if self._view is None and time.monotonic() - self._told > OVERVIEW_SECONDS:
                self._print(self.overview())

    def on_event(self, event: Event) -> None:
        """Take in one event."""
        ident = str(event.get("trial"))
        kind = event["event"]
        now = time.monotonic()
        if kind == "notice":
            self._print(str(event["text"]))
        elif kind == "stopped":
            self._running.pop(ident, None)
        elif kind == "started":
            self._running[ident] = {"began": now}
        elif kind == "epoch":
            state = self._running.setdefault(ident, {"began": now})
            # A trial that continues from its checkpoint begins at a later epoch.
            state.setdefault("from", event.get("epoch", 1) - 1)
            state.update(event)
            self._pace.at(ident, now - state["began"], state["epoch"] - state["from"])
        elif kind == "died":
            self._running.pop(ident, None)
            self._pace.again(ident)
            self._print(f"the worker of trial {ident[:6]} died; the trial starts again")
        else:
            last = self._running.pop(ident, {})
            status = str(event.get("status", kind))
            self.statuses[status] += 1
            self._pace.end(ident, float(event.get("seconds", 0.0)), status == "ok" and not last.get("from"))
            if status not in ("ok", "done", "elsewhere"):
                self._failed.append(self._row(ident) | {"status": status, "reason": _reason(event)})
            self._print(self._line(ident, event, last))
        finished = sum(self.statuses.values())
        self._done = finished + sum(_fraction(state) for state in list(self._running.values()))

    def left(self) -> float | None:
        """Seconds until all trials are through, by the pace so far; None before anything is known."""
        return self._pace.left()

    def state(self) -> dict[str, object]:
        """All that is known, as JSON values."""
        now = time.monotonic()
        running = [
            self._row(ident)
            | {key: state.get(key) for key in ("epoch", "epochs", "val_R1")}
            | {"seconds": now - state["began"]}
            for ident, state in list(self._running.items())
        ]
        return {
            "total": len(self.trials),
            "statuses": dict(self.statuses),
            "running": running,
            "failed": self._failed[-20:],
            "seconds": now - self._began,
            "left": self.left(),
            "workers": self.workers,
        }

    def overview(self) -> str:
        """How far it is, as one line."""
        self._told = time.monotonic()
        return overview(self.state())

    def _row(self, ident: str) -> dict[str, object]:
        trial = self.trials[ident]["trial"]
        return {"id": ident, **{key: trial.get(key) for key in ("label", "budget", "seed", "phase")}}

    def table(self):
        """The live table: one row per running trial below the overall bar."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        finished, total = sum(self.statuses.values()), len(self.trials)
        head = overview(self.state())
        if not (self._running or finished):
            return Text("starting workers")
        grid = Table(box=None, pad_edge=False, expand=False)
        for name, justify in zip(
            ("trial", "method", "budget", "seed", "epoch", "val R1", "left"),
            ("left",) * 3 + ("right",) * 4,
            strict=True,
        ):
            grid.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", max_width=24)
        for ident, state in list(self._running.items()):
            trial = self.trials[ident]["trial"]
            part = _fraction(state)
            spent = time.monotonic() - state["began"]
            grid.add_row(
                ident[:6],
                str(trial.get("label", "")),
                str(trial.get("budget") or "-"),
                str(trial.get("seed", "")),
                f"{state['epoch']}/{state['epochs']}" if "epoch" in state else "-",
                _percent(state.get("val_R1")),
                clock(spent * (1 - part) / part) if part else "-",
            )
        bar = Table.grid()  # a bar alone would not end its line
        bar.add_row(ProgressBar(total=total, completed=self._done, width=60))
        return Group(Text(head), bar, grid)

    def _line(self, ident: str, event: Event, last: Mapping) -> str:
        trial = self.trials[ident]["trial"]
        what = f"{trial.get('label', '')} {trial.get('budget') or ''}".strip()
        done, total = sum(self.statuses.values()), len(self.trials)
        text = f"[{done:>{len(str(total))}}/{total}] {event.get('status', event['event']):<10} {what[:24]:<24}"
        text += f" seed {trial.get('seed', '')}"
        text += f"  val R1 {_percent(last.get('val_R1')):>5}"
        if "seconds" in event:
            text += f"  {event['seconds']:6.1f} s"
        return text[:80].rstrip()

    def _print(self, line: str) -> None:
        if self._view is None:
            print(line, file=self.stream, flush=True)
        else:
            self._view.console.print(line, highlight=False, markup=False)


def overview(state: Mapping) -> str:
    """How far a run is by its `Progress.state`, as one line."""
    finished, total = sum(state["statuses"].values()), state["total"]
    counts = [f"{n} {status}" for status, n in state["statuses"].items() if n and status != "ok"]
    if waiting := total - finished - len(state["running"]):
        counts = [f"{len(state['running'])} running", f"{waiting} waiting", *counts]
    line = f"{finished}/{total} trials" + (f" ({', '.join(counts)})" if counts else "")
    line += f"  {clock(state['seconds'])} so far"
    return line + (f", about {clock(state['left'])} left" if state["left"] is not None else "")


def _reason(event: Mapping) -> str:
    lines = str(event.get("reason") or "").strip().splitlines()
    return lines[-1][:300] if lines else ""


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _fraction(state: Mapping) -> float:
    return min(1.0, state["epoch"] / state["epochs"]) if state.get("epoch") and state.get("epochs") else 0.0


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
