"""Small variants of the campaigns in `tests/campaigns/`, which `make check` runs in full."""

from __future__ import annotations

import pytest

from tests.campaigns import crash, flips, full, hammer


def through(outcome: tuple[int, int, list[str]], least: int) -> None:
    passed, cases, faults = outcome
    assert passed == cases >= least and not faults, "\n".join(faults[:10])


@pytest.mark.parametrize("step", crash.STEPS)
def test_operations_on_files_may_fail_anywhere(tmp_path, step):
    outcome = crash.campaign(tmp_path, (step,), ("killed", "ENOSPC", "torn", "short"), every=90, start=17)
    through(outcome, 3)


def test_flipped_bits_are_noticed(tmp_path):
    through(flips.flip(tmp_path / "store", 40), 40)


def test_records_cut_short_are_noticed(tmp_path):
    through(flips.truncate(tmp_path / "store", every=97), 30)


def test_eight_writers_a_compaction_and_a_reader_get_along(tmp_path):
    through(hammer.campaign(tmp_path / "store", writers=8, each=4, kills=2), 32)


def test_a_full_disk_keeps_what_is_there(tmp_path):
    through(full._limited(tmp_path, 1), 8)
