"""Measured later: the rows that `evaluate_on` would have given, by kept models, once, and nothing trained."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.api import measuring
from harness.cli import main
from harness.errors import EnvironmentFault, NothingMeasured, Preempted, RunFailed, UserError
from harness.model import weights
from harness.store import later
from harness.store.store import Record, Store
from harness.trial import resolve, splits
from harness.trial.kept import measure
from harness.trial.stages import TrialRun
from tests.harness.trial.kept.trials import CHANGES, declared, make, trained

OTHER = {"dataset": "synth_rstp", "options": {"size": "tiny"}}
ON = "synth_rstp:{size: tiny}"
NAMES = ("chosen", "prefix", "zero_shot")


@pytest.fixture
def copy(kept, tmp_path, monkeypatch) -> SimpleNamespace:
    """The trained trials in a store of one's own, and a function that measures them; training fails."""
    shutil.copytree(kept.store.root, tmp_path / "store")
    monkeypatch.setattr(TrialRun, "go", lambda self: pytest.fail("trained"))
    store, lines = Store(tmp_path / "store"), []
    store.declare("s", {}, [declared(kept.trials[name]) for name in NAMES])

    def evaluate(*on, **more):
        given = {"store": store.root, "data": kept.data, "executor": "serial", "tell": lines.append}
        return measuring.evaluate("s", on or (ON,), **{**given, "warn": lines.append, **more})

    return SimpleNamespace(store=store, data=kept.data, trials=kept.trials, evaluate=evaluate, lines=lines)


def rows(store: Store, ident: str, table: str) -> pd.DataFrame:
    """The Parquet file's rows on the other data set, without ids."""
    found = pq.read_table(store.root / "trials" / ident / f"{table}.parquet").to_pandas()
    return found[found["dataset"].str.startswith("synth_rstp")].drop(columns="id").reset_index(drop=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_are_those_of_evaluate_on(copy, kept, tmp_path, monkeypatch, name):
    copy.evaluate()
    monkeypatch.undo()
    together = trained(make(**{**CHANGES[name], "evaluate_on": (OTHER,)}), Store(tmp_path / "other"), kept.data)
    one = next(mark.split("~")[1] for mark in copy.store.files.names(later.FOLDER)
               if mark.startswith(kept.trials[name].id))  # fmt: skip
    for table in ("scores", "queries"):
        here, there = rows(copy.store, one, table), rows(Store(tmp_path / "other"), together.id, table)
        assert len(here) and list(here["split"].unique()) == ["test"]
        pd.testing.assert_frame_equal(here, there)
    shard = pq.read_table(copy.store.root / "trials" / one / "trial.parquet").to_pandas().iloc[0]
    assert shard["phase"] == "later" and shard["data_hash"] == splits.identity(OTHER, kept.data)


def test_only_what_is_missing_is_measured_and_reports_have_it(copy):
    before = copy.store.read("s")
    first = copy.evaluate()
    assert (first.measured, first.already, first.without) == (len(NAMES), 0, [])
    again = copy.evaluate()
    assert (again.measured, again.already) == (0, len(NAMES))
    assert copy.lines[-2].startswith(f"s: 0 to measure, {len(NAMES)} measured already")
    after = copy.store.read("s")
    pd.testing.assert_frame_equal(after.trials, before.trials)
    more = after.scores[after.scores["dataset"] != "synth_cuhk"]
    assert set(more["id"]) == set(before.trials["id"]) and set(more["split"]) == {"test"}
    pd.testing.assert_frame_equal(
        after.scores[after.scores["dataset"] == "synth_cuhk"].reset_index(drop=True), before.scores
    )
    home = copy.evaluate("synth_cuhk:{size: tiny}")
    assert (home.measured, home.already) == (0, len(NAMES)), "what a trial measured itself"


@pytest.mark.parametrize("fault", [UserError("no luck"), ZeroDivisionError("no luck")])
def test_one_that_cannot_be_measured_is_told_and_tried_again(copy, monkeypatch, fault):
    real, bad = measure.columns.scores, copy.trials["chosen"].id

    def scores(record, *given):
        if record.trial["spec"]["trial"] == bad:
            raise fault
        real(record, *given)

    monkeypatch.setattr(measure.columns, "scores", scores)
    with pytest.raises(RunFailed, match=r"1 trials were lost.*no luck.*runs the others again"):
        copy.evaluate()
    assert set(copy.store.read("s").scores["dataset"]) == {"synth_cuhk", "synth_rstp"}
    monkeypatch.setattr(measure.columns, "scores", real)
    again = copy.evaluate()
    assert (again.measured, again.already) == (1, len(NAMES) - 1)
    assert any("is measured again: it was" in line for line in copy.lines)


def test_a_stop_commits_nothing(copy):
    one = copy.trials["chosen"]
    asked = measure.asked({"id": one.id, "label": "a"}, one.trial, OTHER)
    with pytest.raises(Preempted):
        measure.run(asked, copy.store.root, copy.data, stop=lambda: True)
    assert copy.store.done([asked["id"]]) == set()
    assert measure.run(asked, copy.store.root, copy.data) == "ok" and copy.store.done([asked["id"]])


def test_trials_without_a_model_are_told(copy, tmp_path):
    bare = Store(tmp_path / "bare")
    known = copy.store.declaration("s")["trials"][:2]
    for trial in known:
        given = copy.store.measured([trial["id"]], ("trials", "scores"))
        plain = {k: v for k, v in given["trials"].iloc[0].items() if v is not None and v == v}
        bare.commit(Record(plain, given["scores"].to_dict("records")))
    bare.declare("s", {}, known)
    with pytest.raises(NothingMeasured, match=r"no trial of study 's' has a kept model.*keep: all"):
        copy.evaluate(store=bare.root)
    assert copy.lines == ["s: 0 to measure, 0 measured already; 2 trials have no kept model"]


def test_damage_and_other_data_are_measured_again(copy, monkeypatch):
    copy.evaluate()
    one, two = (later.of(copy.store.files, [copy.trials[n].id])[copy.trials[n].id][0] for n in ("chosen", "prefix"))
    path = copy.store.root / "trials" / one / "queries.parquet"
    path.write_bytes(path.read_bytes()[:-3])
    assert copy.evaluate().measured == 1 and any("queries.parquet" in line for line in copy.lines)
    assert not copy.store.damaged([one])
    monkeypatch.setattr(splits, "identity", lambda dataset, data: "f" * 16)
    assert copy.evaluate().measured == len(NAMES) and any("the data have changed" in line for line in copy.lines)
    assert copy.store.measured([two], ("trials",))["trials"]["data_hash"].tolist() == ["f" * 16]


def test_other_code_must_give_what_was_committed(copy, monkeypatch):
    monkeypatch.setattr(resolve, "code", lambda document: "0" * 16)
    one = copy.trials["chosen"]
    asked = measure.asked({"id": one.id, "label": "a"}, one.trial, OTHER)
    assert measure.run(asked, copy.store.root, copy.data) == "ok"
    copy.store.set_aside(asked["id"])
    real = Store.measured

    def other(self, ids, tables=("trials", "scores")):
        found = real(self, ids, tables)
        if "scores" in found:
            found["scores"]["value"] += 1
        return found

    monkeypatch.setattr(Store, "measured", other)
    with pytest.raises(EnvironmentFault, match=r"gives R1 [\d.]+ on its own test split, but [\d.]+ is committed"):
        measure.run(asked, copy.store.root, copy.data)
    assert not copy.store.done([asked["id"]])


def test_faults_of_the_command_are_told_at_once(copy, tmp_path, monkeypatch, capsys):
    for on, words in (
        ("synth_rstpp", "unknown data set 'synth_rstpp'.*did you mean synth_rstp"),
        ("synth_rstp: 3", "3 are no options of synth_rstp"),
        ("synth_rstp:{siz: tiny}", "has no option 'siz'"),
    ):
        with pytest.raises(UserError, match=words):
            copy.evaluate(on)
    monkeypatch.setattr(splits, "fingerprint", lambda split: str(split.root))
    with pytest.raises(UserError, match="has other test data in"):
        copy.evaluate(f"synth_cuhk:{{size: tiny, root: {tmp_path / 'elsewhere'}}}")
    assert not copy.store.files.names(later.FOLDER)
    given = ["evaluate", "t", "--on", ON, "--store", str(copy.store.root), "--data", str(copy.data)]
    assert main.call([*given, "--executor", "serial"]) == 2 and "no results of a study 't'" in capsys.readouterr().err
    monkeypatch.setattr(weights, "identity", lambda source: "f" * 16)
    with pytest.raises(EnvironmentFault, match="has changed since"):
        copy.evaluate()


def test_the_command_measures_and_says_what_is_next(copy, capsys):
    given = ["evaluate", "s", "--on", ON, "--store", str(copy.store.root), "--data", str(copy.data)]
    assert main.call([*given, "--executor", "serial"]) == 0
    out = capsys.readouterr().out
    assert f"s: {len(NAMES)} to measure, 0 measured already" in out and "next: upbench report s" in out
    assert f"finished: {len(NAMES)} ok" in out


def test_a_model_is_loaded_once_for_data_sets_in_a_row_and_scores_are_the_same(copy, tmp_path, monkeypatch):
    on = [f"synth_rstp:{{size: tiny, shift: {shift}, severity: 3}}" for shift in ("typos", "grey", "ocr")]
    apart, loads, applied = Store(tmp_path / "apart"), [], measure.model.applied
    shutil.copytree(copy.store.root, apart.root)
    measure._last.clear()
    monkeypatch.setattr(measure.model, "applied", lambda kept: loads.append(kept.row["id"]) or applied(kept))
    copy.evaluate(*on)
    assert len(loads) == len(NAMES)
    monkeypatch.setattr(measure, "_measuring", measure.Measuring)
    copy.evaluate(*on, store=apart.root)
    assert len(loads) == len(NAMES) * (1 + len(on))
    keys = ["id", "dataset", "split", "direction", "metric"]
    both = [
        store.read("s").scores.sort_values(keys, ignore_index=True)[[*keys, "value"]] for store in (copy.store, apart)
    ]
    pd.testing.assert_frame_equal(*both)
