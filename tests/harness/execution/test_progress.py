"""What a run shows while it goes on, at 80 columns."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

from harness.execution import live
from harness.execution.pace import Pace
from harness.execution.progress import Progress, clock

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
    assert lines[0].startswith("1/4 trials (1 running, 2 waiting, 1 diverged)") and "left" in lines[0]
    assert [word in lines[2] for word in ("trial", "method", "budget", "seed", "epoch", "val R1", "left")] == [True] * 7
    assert "1/4" in lines[3] and "31.2" in lines[3] and len(lines) == 4
    assert all(len(line) <= 80 for line in lines)


def test_time_left_follows_the_pace(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("harness.execution.progress.time.monotonic", lambda: now[0])
    progress = Progress(TRIALS, 2, io.StringIO())
    assert progress.left() is None
    progress.on_event({"event": "started", "trial": IDS[0]})
    now[0] = 110.0
    progress.on_event({"event": "epoch", "trial": IDS[0], "epoch": 1, "epochs": 2})
    assert progress.left() == pytest.approx(10 * (0.5 + 3 * 1.5) / 2)  # half an epoch is for loading and measuring
    now[0] = 115.0
    progress.on_event({"event": "finished", "trial": IDS[0], "status": "ok", "seconds": 15.0})
    assert progress.left() == pytest.approx(15 * 3 / 2)
    for ident in IDS[1:3]:
        progress.on_event({"event": "started", "trial": ident})
        progress.on_event({"event": "finished", "trial": ident, "status": "ok", "seconds": 15.0})
    assert progress.left() == pytest.approx(15)


def test_time_left_knows_kinds_of_trials():
    """Two trials of 10 epochs of a method at 3 s per epoch, one untrained, one of a method that was not seen yet."""
    methods = (("lora", 10), ("lora", 10), ("zero_shot", 0), ("full", 10))
    trials = {str(n): {"trial": {"method": m, "recipe": {"epochs": e}}} for n, (m, e) in enumerate(methods)}
    pace = Pace(trials, 2)
    assert pace.left() is None
    pace.end("2", 2.0)  # 4 s per epoch of nothing
    pace.at("0", 12.0, 4.0)
    mean = 14 / 4.5
    assert pace.left() == pytest.approx((6.5 * 3 + 10.5 * 3 + 10.5 * mean) / 2)
    pace.end("1", 1.0, whole=False)  # failed at once: tells nothing
    assert pace.left() == pytest.approx((6.5 * 3 + 10.5 * mean) / 2)
    pace.again("0")
    assert pace.left() == pytest.approx((10.5 * 4 * 2) / 2)
    pace.end("3", 1.0, whole=False)
    pace.at("0", 30.0, 10.0)
    assert pace.left() == pytest.approx(0.5 * 3)
    pace.end("0", 31.0)
    assert pace.left() == 0.0


def test_a_kind_of_trial_is_of_a_data_set_with_its_options():
    data = [
        {"dataset": "cuhk", "options": {"size": size, "root": root}} for size, root in (("tiny", "a"), ("demo", "a"))
    ]
    data.append({"dataset": "cuhk", "options": {"size": "tiny", "root": "b"}})
    trials = {str(n): {"trial": {"method": "lora", "dataset": d, "recipe": {"epochs": 1}}} for n, d in enumerate(data)}
    pace = Pace({**trials, "3": trials["0"], "4": trials["1"]}, 1)
    pace.end("0", 3.0)
    pace.end("1", 30.0)
    assert pace.left() == pytest.approx(3 + 3 + 30)


def test_the_longest_trial_under_way_bounds_the_time_left():
    pace = Pace({str(n): {"trial": {"method": "m", "recipe": {"epochs": 10}}} for n in range(2)}, 2)
    pace.at("0", 10.0, 10.0)
    pace.at("1", 10.0, 1.0)
    assert pace.left() == pytest.approx(9.5 * 20 / 11)


def test_a_trial_that_continues_is_not_taken_for_a_fast_one(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("harness.execution.progress.time.monotonic", lambda: now[0])
    progress = Progress({"a" * 16: {"trial": {"recipe": {"epochs": 10}}}}, 1, io.StringIO())
    progress.on_event({"event": "started", "trial": "a" * 16})
    now[0] = 7.0
    progress.on_event({"event": "epoch", "trial": "a" * 16, "epoch": 8, "epochs": 10})
    assert progress.left() == pytest.approx(7.0 * (0.5 + 9))  # one epoch was seen


def test_a_file_gets_a_line_on_how_far_it_is_now_and_then(monkeypatch):
    monkeypatch.setattr("harness.execution.progress.WRITE_SECONDS", 0.01)
    monkeypatch.setattr("harness.execution.progress.OVERVIEW_SECONDS", 0.05)
    out = io.StringIO()
    with Progress(TRIALS, 2, out) as progress:
        progress.on_event({"event": "started", "trial": IDS[0]})
        time.sleep(0.2)
    lines = out.getvalue().splitlines()
    assert lines and all(line.startswith("0/4 trials (1 running, 3 waiting)  0:0") for line in lines)
    assert "\x1b" not in out.getvalue() and len(lines) < 6


def test_others_can_follow(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.execution.progress.WRITE_SECONDS", 0.01)
    seen = live.Live(tmp_path, "s")
    assert live.read(tmp_path, "s") is None
    with Progress(TRIALS, 2, io.StringIO(), seen=seen) as progress:
        events(progress)
        seen.write(progress.state(), now=True)
        state = live.read(tmp_path, "s")
        assert state["statuses"] == {"ok": 1, "lost": 1} and state["silent"] < 5 and state["workers"] == 2
        assert [(row["id"], row["reason"]) for row in state["failed"]] == [(IDS[2], "broken")]
    assert live.read(tmp_path, "s") is None


def test_a_run_that_was_killed_is_not_under_way(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    live.Live(tmp_path, "s").write({"pid": int(gone.stdout)}, now=True)
    assert live.read(tmp_path, "s") is None
    live.Live(tmp_path, "s").write({"host": "elsewhere"}, now=True)
    assert live.read(tmp_path, "s")
    old = time.time() - 2 * live.QUIET_SECONDS
    os.utime(tmp_path / "live" / "s.json", (old, old))
    assert live.read(tmp_path, "s") is None
    (tmp_path / "live" / "s.json").write_text('{"torn')
    assert live.read(tmp_path, "s") is None


def test_a_disk_that_takes_nothing_costs_only_the_view(tmp_path):
    (tmp_path / "live").touch()
    live.Live(tmp_path, "s").write({}, now=True)
    assert live.read(tmp_path, "s") is None


def test_a_live_table_on_a_terminal_prints_finished_trials_above():
    out = io.StringIO()
    with Progress(TRIALS, 2, out, live=True) as progress:
        events(progress)
    assert "[1/4] ok" in out.getvalue()


@pytest.mark.parametrize("seconds, text", [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_clock(seconds, text):
    assert clock(seconds) == text
