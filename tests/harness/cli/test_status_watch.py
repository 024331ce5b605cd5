"""Following a run from outside: plain lines in a file, and an end."""

from __future__ import annotations

import io

import pytest

from harness.cli import main
from harness.cli.commands import follow
from harness.execution import live
from harness.store.store import Record, Store

IDS = [f"{n:016x}" for n in range(3)]
ROW = {"label": "lora", "method": "lora", "budget": "1%", "dataset": "d", "seed": 0}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("results/local")
    store.probe()
    store.declare("s", {"name": "s"}, [{"id": ident, "trial": {}, **ROW} for ident in IDS], "which?")
    return store


def commit(store: Store, ident: str) -> None:
    store.commit(Record(trial={"id": ident, "status": "ok", "spec": {}, **ROW}))


def state(epoch: int | None, done: int, failed: int = 0) -> dict:
    running = {"id": IDS[done % 3], "label": "lora", "budget": "1%", "seed": 0, "phase": "search", "epoch": epoch}
    running |= {"epochs": 4, "val_R1": 12.5 if epoch else None, "seconds": 65.0}
    broken = {
        "id": IDS[0],
        "label": "lora",
        "budget": "1%",
        "seed": 0,
        "phase": None,
        "status": "oom",
        "reason": "full",
    }
    return {
        "total": 3, "statuses": {"ok": done - failed, "oom": failed}, "running": [running], "failed": [broken] * failed,
        "seconds": 70.0, "left": 130.0, "workers": 1,
    }  # fmt: skip


def test_it_follows_until_all_is_committed(store, capsys):
    seen = live.Live(store.local, "s")
    steps = iter(
        [
            lambda: seen.write(state(1, 0), now=True),
            lambda: None,  # nothing new, no line
            lambda: (commit(store, IDS[0]), seen.write(state(None, 1, failed=1), now=True)),
            lambda: ([commit(store, ident) for ident in IDS[1:]], seen.remove()),
        ]
    )
    seen.write(state(None, 0), now=True)
    follow.follow(store, "s", 0.0, sleep=lambda _: next(steps)())
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "s: 0 of 3 trials committed",
        "  0/3 trials (1 running, 2 waiting)  1:10 so far, about 2:10 left",
        "  000000 lora 1% seed 0 [search]: starting, 1:05",
        "s: 0 of 3 trials committed",
        "  0/3 trials (1 running, 2 waiting)  1:10 so far, about 2:10 left",
        "  000000 lora 1% seed 0 [search]: epoch 1/4, val R1 12.5, 1:05",
        "s: 1 of 3 trials committed",
        "  1/3 trials (1 running, 1 waiting, 1 oom)  1:10 so far, about 2:10 left",
        "  000000 lora 1% seed 0 [search]: starting, 1:05",
        "  000000 oom: full",
        "s: 3 of 3 trials committed; no run is under way",
    ]


def test_it_ends_when_the_run_is_gone_or_never_was(store, monkeypatch, capsys):
    assert main.call(["status", "s", "--watch"]) == 0
    out = capsys.readouterr().out
    assert "0 of 3 trials committed; no run is under way" in out and "missing:" in out
    monkeypatch.setattr(follow, "GAP_SECONDS", 0.0)
    seen = live.Live(store.local, "s")
    seen.write(state(1, 0), now=True)
    follow.follow(store, "s", 0.0, sleep=lambda _: seen.remove())
    assert "no run is under way" in capsys.readouterr().out


def test_a_gap_between_two_phases_is_waited_through(store, capsys):
    seen = live.Live(store.local, "s")
    seen.write(state(1, 0), now=True)
    steps = iter([seen.remove, lambda: seen.write(state(2, 0), now=True), seen.remove])

    def sleep(_):
        step = next(steps, None)
        step() if step else [commit(store, ident) for ident in IDS]

    follow.follow(store, "s", 0.0, sleep=sleep)
    assert "epoch 2/4" in capsys.readouterr().out


def test_on_a_terminal_it_is_redrawn(store, monkeypatch):
    class Terminal(io.StringIO):
        isatty = lambda self: True  # noqa: E731

    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    seen = live.Live(store.local, "s")
    seen.write(state(1, 0, failed=0), now=True)
    follow.follow(store, "s", 0.0, sleep=lambda _: ([commit(store, ident) for ident in IDS], seen.remove()))
    assert "epoch 1/4" in out.getvalue() and "no run is under way" in out.getvalue()


def test_watching_takes_one_study(store, capsys):
    assert main.call(["status", "--watch"]) == 2 and "upbench status STUDY --watch" in capsys.readouterr().err
    assert main.call(["status", "s", "--watch", "--json"]) == 2
    assert main.call(["status", "t", "--watch"]) == 2 and "no results of a study 't'" in capsys.readouterr().err
