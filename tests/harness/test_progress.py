"""What a run shows while it goes on, at 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.progress import Progress, clock

TRIALS = {
    f"{n:016x}": {"trial": {"label": f"up_person with a very long label {n}", "budget": "4.7%", "seed": n}}
    for n in range(4)
}
IDS = list(TRIALS)


def events(progress: Progress) -> None:
    for ident in IDS[:3]:
        progress.on_event({"event": "started", "trial": ident})
    progress.on_event({"event": "epoch", "trial": IDS[0], "epoch": 1, "epochs": 2, "val_R1": 31.25})
    progress.on_event({"event": "epoch", "trial": IDS[1], "epoch": 1, "epochs": 4, "val_R1": None})
    progress.on_event({"event": "finished", "trial": IDS[0], "status": "ok", "seconds": 12.3})
    progress.on_event({"event": "died", "trial": IDS[1]})
    progress.on_event({"event": "lost", "trial": IDS[2], "reason": "broken"})


def test_plain_lines_when_piped():
    out = io.StringIO()
    with Progress(TRIALS, 2, out) as progress:
        events(progress)
    first, died, lost = out.getvalue().splitlines()
    assert first.startswith("[1/4] ok") and "seed 0" in first and "31.2" in first and "12.3 s" in first
    assert "trial 000000 died" in died and lost.startswith("[2/4] lost")
    assert all(len(line) <= 80 for line in (first, died, lost))


def test_the_live_table_fits_and_counts():
    progress = Progress(TRIALS, 2, io.StringIO(), live=False)
    for ident in IDS[:2]:
        progress.on_event({"event": "started", "trial": ident})
    progress.on_event({"event": "epoch", "trial": IDS[0], "epoch": 1, "epochs": 4, "val_R1": 31.25})
    progress.on_event({"event": "finished", "trial": IDS[1], "status": "diverged", "seconds": 3.0})
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(progress.table())
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("1/4 trials (1 diverged)") and "left" in lines[0]
    assert [word in lines[2] for word in ("trial", "method", "budget", "seed", "epoch", "val R1", "left")] == [True] * 7
    assert "1/4" in lines[3] and "31.2" in lines[3] and len(lines) == 4
    assert all(len(line) <= 80 for line in lines)


def test_time_left_follows_the_pace(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("harness.progress.time.monotonic", lambda: now[0])
    progress = Progress(TRIALS, 2, io.StringIO())
    assert progress.left() is None
    progress.on_event({"event": "started", "trial": IDS[0]})
    now[0] = 110.0
    progress.on_event({"event": "epoch", "trial": IDS[0], "epoch": 1, "epochs": 2})
    assert progress.left() == pytest.approx(10 * 3.5 / 0.5)
    progress.on_event({"event": "finished", "trial": IDS[0], "status": "ok"})
    assert progress.left() == pytest.approx(30)


def test_a_live_table_on_a_terminal_prints_finished_trials_above():
    out = io.StringIO()
    with Progress(TRIALS, 2, out, live=True) as progress:
        events(progress)
    assert "[1/4] ok" in out.getvalue()


@pytest.mark.parametrize("seconds, text", [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_clock(seconds, text):
    assert clock(seconds) == text
