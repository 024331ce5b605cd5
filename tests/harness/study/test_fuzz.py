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

    def look(path: Path) -> None:
        try:
            read.append(load(path, check=resolve.check))
        except UserError:
            refused.append(path)
            raise

    assert fuzz.tried(tmp_path, look, range(10_000, 10_060)) == []
    assert len(read) >= 3 and len(refused) > 25


def test_what_the_campaign_calls_wrong(tmp_path):
    def fail(error: BaseException):
        def look(path: Path) -> None:
            raise error

        return look

    def slow(path: Path) -> None:
        began = time.process_time()
        while time.process_time() - began < 2 * fuzz.SECONDS:
            pass

    def large(path: Path) -> bytearray:
        return bytearray(2 * fuzz.BYTES)

    assert fuzz.wrong(tmp_path, lambda path: None) is None and fuzz.wrong(tmp_path, fail(UserError("one line"))) is None
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
        assert "TimeoutError: more than 0.05 s" in str(fuzz.wrong(tmp_path, slow))


def test_the_same_seed_gives_the_same_changes(tmp_path):
    name, text = fuzz.texts()[0]
    assert [fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)] == [
        fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)
    ]
    assert len({fuzz.changed(text, np.random.default_rng([fuzz.SEED, n])) for n in range(20)}) > 15 and name
