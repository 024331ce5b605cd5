"""A small variant of the campaign `fuzz`, which `make check` runs in full: reading and checking alone, no data."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UserError
from harness.study.reading import load
from harness.trial import resolve
from tests.campaigns import fuzz


def test_changed_studies_are_refused_or_read(tmp_path):
    read, refused = [], []

    def look(path: Path) -> int:
        try:
            read.append(load(path, check=resolve.check))
        except UserError:
            refused.append(path)
            raise
        return 0

    assert fuzz.tried(tmp_path, look, range(10_000, 10_060)) == []
    assert len(read) >= 3 and len(refused) > 25


def test_what_the_campaign_calls_wrong(tmp_path):
    def fail(error: BaseException):
        def look(path: Path) -> int:
            raise error

        return look

    def slow(path: Path, trials: int = 0) -> int:
        began = time.process_time()
        while time.process_time() - began < 2 * fuzz.SECONDS:
            pass
        return trials

    def refused(path: Path) -> int:
        slow(path)
        raise UserError("one line")

    def large(path: Path) -> int:
        return len(bytearray(2 * fuzz.BYTES))

    assert fuzz.wrong(tmp_path, lambda path: 0) is None and fuzz.wrong(tmp_path, fail(UserError("one line"))) is None
    for look, words in (
        (fail(KeyError("name")), "KeyError: 'name'"),
        (fail(RecursionError("deep")), "RecursionError: deep"),
        (fail(UserError("")), "0 lines"),
        (fail(UserError("a\n\nb")), "3 lines"),
        (fail(UserError("x" * 3000)), "1 lines, the longest of 3000"),
        (fail(UserError("\x1b[2J")), "1 lines"),
        (large, "MemoryError"),
    ):
        assert words in str(fuzz.wrong(tmp_path, look))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fuzz, "SECONDS", 0.05)
        assert "0.1 s of a processor for 0 trials" in str(fuzz.wrong(tmp_path, slow))
        assert "refused after 0.1 s" in str(fuzz.wrong(tmp_path, refused))
        assert fuzz.wrong(tmp_path, lambda path: slow(path, 100)) is None, "each trial has its share"
        patch.setattr(fuzz, "MOST", 10)
        assert "TimeoutError: more than 0.065 s" in str(fuzz.wrong(tmp_path, slow))


def test_the_same_seed_gives_the_same_changes(tmp_path):
    name, text = fuzz.texts()[0]
    assert [fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)] == [
        fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)
    ]
    assert len({fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)}) > 15 and name
