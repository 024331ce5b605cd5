"""A run as it goes on: a live table on a terminal, one line per finished trial elsewhere; both fit 80 columns."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import IO

Event = Mapping[str, object]


class Progress:
    """Shows the events of `tune.execute`; use as a context manager and pass `on_event`.

    Args:
        trials: id -> resolved trial, all that will run.
        workers: Trials side by side.
        stream: Where to write; default standard output.
        live: A redrawn table; default where the stream is a terminal.
    """

    def __init__(
        self, trials: Mapping[str, dict], workers: int, stream: IO[str] | None = None, live: bool | None = None
    ) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty() if live is None else live
        self.trials, self.workers = trials, workers
        self.statuses: Counter[str] = Counter()
        self._running: dict[str, dict] = {}
        self._began = time.monotonic()
        self._done = 0.0  # trials, with the finished part of those under way
        self._view = None

    def __enter__(self) -> Progress:
        if self.live:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream)
            self._view = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.table)
            self._view.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._view is not None:
            self._view.stop()

    def on_event(self, event: Event) -> None:
        """Take in one event."""
        ident = str(event.get("trial"))
        kind = event["event"]
        if kind == "notice":
            self._print(str(event["text"]))
        elif kind == "stopped":
            self._running.pop(ident, None)
        elif kind == "started":
            self._running[ident] = {"began": time.monotonic()}
        elif kind == "epoch":
            self._running.setdefault(ident, {"began": time.monotonic()}).update(event)
        elif kind == "died":
            self._running.pop(ident, None)
            self._print(f"the worker of trial {ident[:6]} died; the trial starts again")
        else:
            last = self._running.pop(ident, {})
            self.statuses[str(event.get("status", kind))] += 1
            self._print(self._line(ident, event, last))
        finished = sum(self.statuses.values())
        self._done = finished + sum(_fraction(state) for state in list(self._running.values()))

    def left(self) -> float | None:
        """Seconds until all trials are through, by the pace so far; None before anything is known."""
        if not self._done:
            return None
        elapsed = time.monotonic() - self._began
        return elapsed * (len(self.trials) - self._done) / self._done

    def table(self):
        """The live table: one row per running trial below the overall bar."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        finished, total = sum(self.statuses.values()), len(self.trials)
        counts = ", ".join(f"{n} {status}" for status, n in self.statuses.items() if status != "ok")
        elapsed = time.monotonic() - self._began
        head = f"{finished}/{total} trials" + (f" ({counts})" if counts else "") + f"  {clock(elapsed)} so far"
        head += f", about {clock(self.left())} left" if self._done else ""
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


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _fraction(state: Mapping) -> float:
    return min(1.0, state["epoch"] / state["epochs"]) if state.get("epoch") and state.get("epochs") else 0.0


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
