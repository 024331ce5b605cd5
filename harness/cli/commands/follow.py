"""`upbench status STUDY --watch`: a run that goes on in another process, seen from outside until it is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from harness.execution import live
from harness.execution.progress import clock, overview

GAP_SECONDS = 15.0  # without a run, after which nothing more is awaited; between two phases of a study there is none


def follow(results, study: str, every: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show a run until all trials of the study are committed or no run is under way."""
    declared = [trial["id"] for trial in results.declaration(study)["trials"]]
    view = _Table() if sys.stdout.isatty() else _Lines()
    seen = last = time.monotonic()
    with view:
        while True:
            state, done = live.read(results.local, study), len(results.done(declared))
            now = time.monotonic()
            last = now if state else last
            if state:
                view.show(state, f"{study}: {done} of {len(declared)} trials committed")
            elif done == len(declared) or now - last > GAP_SECONDS or last == seen:
                break
            sleep(every)
            # A study may grow by a second phase.
            declared = [trial["id"] for trial in results.declaration(study)["trials"]]
    click.echo(f"{study}: {done} of {len(declared)} trials committed; no run is under way")


class _Lines:
    """For a file: a line whenever something changed, no control codes."""

    def __init__(self) -> None:
        self._before: object = None
        self._failed = 0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, state: dict, head: str) -> None:
        key = (head, [(row["id"], row["epoch"]) for row in state["running"]], state["statuses"])
        if key == self._before:
            return
        self._before = key
        click.echo(head[:80])
        click.echo(f"  {overview(state)}"[:80])
        for row in state["running"]:
            click.echo(f"  {_running(row)}"[:80])
        for row in state["failed"][self._failed :]:
            click.echo(f"  {row['id'][:6]} {row['status']}: {row['reason']}"[:200])
        self._failed = len(state["failed"])


class _Table:
    """For a terminal: the same, redrawn in place."""

    def __enter__(self) -> _Table:
        from rich.live import Live

        self._view = Live(refresh_per_second=4, transient=True)
        self._view.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._view.stop()

    def show(self, state: dict, head: str) -> None:
        from rich.text import Text

        lines = [head, overview(state), *(f"  {_running(row)}" for row in state["running"])]
        if state["failed"]:
            lines += ["not ok:", *(f"  {row['id'][:6]} {row['status']}: {row['reason']}" for row in state["failed"])]
        if state["silent"] > 10:
            lines.append(f"(last sign of life {clock(state['silent'])} ago)")
        self._view.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"))


def _running(row: dict) -> str:
    what = f"{row['label'] or ''} {row['budget'] or ''}".strip()
    epoch = f"epoch {row['epoch']}/{row['epochs']}" if row["epoch"] else "starting"
    value = f", val R1 {row['val_R1']:.1f}" if row["val_R1"] is not None else ""
    phase = f" [{row['phase']}]" if row.get("phase") else ""
    return f"{row['id'][:6]} {what[:28]} seed {row['seed']}{phase}: {epoch}{value}, {clock(row['seconds'])}"
