"""What the campaign `forty` plants is still there to be planted, for every fault."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns import forty
from tests.campaigns.planted import PLANTED
from tests.test_forty_faults import FAULTS


def test_every_fault_is_planted():
    assert list(PLANTED) == list(FAULTS)
    assert all(changes for by in PLANTED.values() for changes in [by, *by.values()])


def test_every_text_stands_once_in_its_file():
    assert forty.stale() == []


def test_a_text_that_went_is_named(monkeypatch):
    monkeypatch.setitem(PLANTED, 7, {"test": (("harness/errors.py", "no such text", ""), ("README.md", "e", "a"))})
    gone, often = forty.stale()
    assert gone == "7: harness/errors.py has 'no such text' 0 times"
    assert often.startswith("7: README.md has 'e' ")


def test_the_tests_that_must_notice_are_listed():
    for number, by in PLANTED.items():
        for test in by:
            assert forty.node(number, test).endswith(f".py::{test}")


def test_a_file_is_as_it_was_afterwards(tmp_path: Path):
    path = tmp_path / "code.py"
    path.write_text("a = 1\n")
    before = path.stat().st_mtime_ns
    with forty.planted(path, "1", "2"):
        assert path.read_text() == "a = 2\n"
    assert path.read_text() == "a = 1\n" and path.stat().st_mtime_ns == before
