"""Faults 24 to 38 that a single command meets: divergence, memory, folders, clocks, a missing Ray."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from harness.store.store import Store
from harness.trial import stages

pytestmark = pytest.mark.timeout(120)
SERIAL = ("--executor", "serial")


def test_a_trial_that_diverges_is_marked_and_the_others_go_on(call, study, cuhk):
    path = study(("[bitfit]", "[{method: bitfit, label: wild, recipe: {lr: 1e+30}}, bitfit]"))
    code, out, err = call("run", path, *SERIAL)
    assert code == 0 and "1 diverged, 1 ok" in out, err
    row = Store("store").read("small").trials.set_index("label").loc["wild"]
    assert row["status"] == "diverged" and (
        re.search(r"step \d+ of epoch 1 on; captions of its batch: \d+( \d+)*$", row["reason"])
    ), row["reason"]


def test_memory_that_runs_out_is_marked_and_not_tried_again_by_itself(call, study, cuhk, monkeypatch):
    def full(*given, **more):
        raise MemoryError("cannot allocate 1 TiB")

    with monkeypatch.context() as context:
        context.setattr(stages.TrialRun, "_train", full)
        code, out, _ = call("run", study(), *SERIAL)
        assert code == 6 and "finished: 1 oom" in out
        assert "0 to run, 1 already done" in call("run", study(), *SERIAL)[1]
    code, out, _ = call("run", study(), *SERIAL, "--retry-failed")
    assert code == 0 and "finished: 1 ok" in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_store_is_told_before_any_work(call, study, cuhk, tmp_path):
    (tmp_path / "store").mkdir(mode=0o500)
    code, _, err = call("run", study(), *SERIAL)
    assert code == 3 and "the result store is not writable" in err


def test_a_file_in_place_of_the_store_is_told_before_any_work(call, study, cuhk, tmp_path):
    (tmp_path / "store").write_text("mine")
    code, _, err = call("run", study(), *SERIAL)
    assert code == 3 and len(err.splitlines()) == 1 and "the result store is not writable" in err
    assert (tmp_path / "store").read_text() == "mine"


@pytest.mark.parametrize("way", ["back", "forward"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_a_clock_that_jumps_changes_nothing(call, study, cuhk, monkeypatch, way, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert call("run", study(), *SERIAL)[0] == 0
        began, jump = time.time(), {"back": -1, "forward": 1}[way] * 3 * 365 * 86400.0
        with monkeypatch.context() as context:
            context.setattr(time, "time", lambda: began + jump)
            assert call("run", study(), *SERIAL, "--store", "other")[0] == 0
        rows = [Store(name).read("small") for name in ("store", "other")]
        assert rows[0].scores.equals(rows[1].scores)
        assert all((r.trials["seconds_total"] > 0).all() and (r.trials["seconds_total"] < 100).all() for r in rows)
        assert all(abs(r.trials["started"].iloc[0].timestamp() - began) < 100 for r in rows), "another time zone's"
        assert "finished" not in call("run", study(), *SERIAL)[1]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_missing_ray_is_told_with_the_other_way(call, study, cuhk, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    began = time.perf_counter()
    code, _, err = call("run", study())
    assert code == 3 and "ray cannot be imported" in err.lower() and "--executor serial" in err
    assert time.perf_counter() - began < 30 and not list(Path("store").glob("trials/*"))


def test_what_is_missing_or_failed_is_a_gap_in_the_report(call, study, cuhk):
    path = study(("[bitfit]", "[{method: bitfit, label: wild, recipe: {lr: 1e+30}}, bitfit]"), ("[0]", "[0, 1]"))
    assert call("run", path, *SERIAL)[0] == 0
    store = Store("store")
    store.set_aside(store.read("small").trials.query("label == 'bitfit'")["id"].iloc[0])
    code, out, err = call("report", "small", "--out", "page")
    text = " ".join(out.split())
    assert code == 0, err
    assert "1 of 4 trials have results (2 diverged, 1 not run)" in text and "1 of 2 seeds (1 not run)" in text, out
