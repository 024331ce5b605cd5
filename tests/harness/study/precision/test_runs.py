"""Runs, plans and publishing of studies whose number of seeds is found; a run goes on anywhere."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from statistics import stdev
from types import SimpleNamespace

import pytest

from harness.api import asking, planning
from harness.cli.commands.publish import publishable
from harness.errors import UserError
from harness.store.store import Store
from harness.study.reading import load
from harness.trial import resolve
from harness.trial import run as running
from reports.tables import precision
from tests.harness.study.conftest import MERITS, RAN, fake_resolve, fake_run
from tests.harness.study.precision.conftest import NOISE, noisy


def test_run_plan_and_status_tell_the_phases(call, tmp_path):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    code, out = call("plan", "s.yaml", "--no-probe")
    assert code == 0
    assert "seeds: 11 trials are certain; between 0 and 14 more follow, by the spread, not known yet, of 2 cells" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and "11 to run, 0 already done" in out and "2 to run, 11 already done" in out
    assert "seeds: cells by number of seeds: 1 with 5, 1 with 7" in out and len(RAN) == 13
    assert "seeds: pilot of 5; cells by number of seeds: 1 with 5, 1 with 7" in call("plan", "s.yaml", "--no-probe")[1]
    out = call("status", "s")[1]
    assert "  pilot: 11 of 11\n  further seeds: 2 of 2\n" in out and "13 of 13 trials committed" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and "0 to run, 13 already done" in out and len(RAN) == 13


def test_the_time_of_further_seeds_is_that_of_as_many_more_trials(call, monkeypatch):
    each = lambda rows, *_: SimpleNamespace(seconds=(len(rows), 2 * len(rows)))  # noqa: E731
    monkeypatch.setattr("harness.execution.estimate.estimate", each)
    made = planning.plan("s.yaml")
    assert made.estimate.seconds == (11, 22)
    assert made.further == planning.Further(trials=(0, 14), cells=2, known=0, seconds=(11, 2 * (11 + 14)))
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    assert call("run", "s.yaml", "--executor", "serial")[0] == 0
    made = planning.plan("s.yaml")
    assert made.further is None and len(made.trials) == 13 and {row["state"] for row in made.trials} == {"done"}


def test_nothing_is_published_before_every_cell_has_what_its_pilot_asks_for(lay, tmp_path):
    store = Store(tmp_path / "store")
    laid = lay()

    def declare():
        rows = [asking.declared(row, laid.growing) for row in laid.trials]
        store.declare("s", load(tmp_path / "s.yaml").document, rows)
        return Counter(row["phase"] for row in rows)

    assert declare() == {"pilot": 10, None: 1}
    laid = lay.run()
    with pytest.raises(UserError, match="what 10 trials of pilots of study 's' ask for is not declared yet"):
        publishable(store, "s")
    declare()
    with pytest.raises(UserError, match="uncommitted code"):
        publishable(store, "s")


def test_plan_counts_by_what_is_known_of_a_pilot(call, tmp_path):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    assert call("run", "s.yaml", "--executor", "serial", "--set", "seeds=[0, 1, 2, 3]")[0] == 0
    likely = math.ceil((3.182446305284263 * stdev(NOISE[:4])) ** 2) - 5
    out = call("plan", "s.yaml", "--no-probe")[1]
    assert f"11 trials are certain; about {likely} more are likely, by the spread so far of 2 of 2 cells" in out


def test_trials_that_are_infeasible_are_not_certain_to_run(call, monkeypatch):
    def resolved(item, data):
        bad = {"status": "infeasible", "reason": "too small"} if item.method == "lora" else {}
        return replace(fake_resolve(item, data), **bad)

    monkeypatch.setattr(resolve, "resolve", resolved)
    out = call("plan", "s.yaml", "--no-probe")[1]
    assert "seeds: 6 trials are certain;" in out and "11 trials: 6 to run, 5 infeasible" in out
    assert call("run", "s.yaml", "--executor", "serial", "--set", "seeds=[0, 1, 2, 3]")[0] == 0
    out = call("plan", "s.yaml", "--no-probe")[1]
    assert "seeds: 6 trials are certain;" in out and "infeasible: lora at 1%: too small" in out


def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_trials(call, tmp_path, monkeypatch):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.6)
    assert call("run", "s.yaml", "--executor", "serial", "--store", "whole")[0] == 0
    wanted = {(t["method"], t["seed"]) for t in RAN}

    def dies_at(count: int):
        def run(resolved, store, data, report):
            if len(RAN) == count:
                raise KeyboardInterrupt
            return fake_run(resolved, store, data, report)

        return run

    for count in (3, 11, 12):  # in the pilot, between the two, among further seeds
        RAN.clear()
        monkeypatch.setattr(running, "run", dies_at(count))
        assert call("run", "s.yaml", "--executor", "serial", "--store", f"cut{count}")[0] != 0
        assert len(RAN) == count
        monkeypatch.setattr(running, "run", fake_run)
        assert call("run", "s.yaml", "--executor", "serial", "--store", f"cut{count}")[0] == 0
        assert {(t["method"], t["seed"]) for t in RAN} == wanted and len(RAN) == len(wanted)
        kept = Store(f"cut{count}").declaration("s")["trials"], Store("whole").declaration("s")["trials"]
        assert kept[0] == kept[1]
        tables = [precision.draw(Store(place).read("s")).markdown() for place in (f"cut{count}", "whole")]
        assert tables[0] == tables[1] and "| LoRA | 1% |" in tables[0]
