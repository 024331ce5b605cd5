"""The store: whole or absent, once, unchanged, and complete when read."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.errors import DataError, UserError
from harness.store.store import Record, Store
from tests.campaigns.toy import entry, record


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    made.probe()
    return made


def test_what_is_committed_is_read_back(store):
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert store.commit(record(share=0.01, dirty=False, started=started, options={"rank": 8}, lr=np.float32(0.5)))
    store.declare("one", {"name": "one"}, [entry("0123456789abcdef")], "why?")
    results = store.read("one")
    row = results.trials.iloc[0]
    assert (row["id"], row["share"], row["dirty"], row["lr"]) == ("0123456789abcdef", 0.01, False, 0.5)
    assert row["started"] == pd.Timestamp(started)
    assert json.loads(row["options"]) == {"rank": 8} and json.loads(row["spec"]) == {"a": 1}
    assert results.scores[["metric", "value"]].values.tolist() == [["R1", 41.5]]
    assert results.queries["ap"].tolist() == [1.0, 0.25] and set(results.queries["id"]) == {"0123456789abcdef"}
    assert results.missing == [] and results.study["question"] == "why?"


def test_what_was_not_measured_is_null_on_disk_and_nan_in_pandas(store):
    store.commit(record())
    store.declare("one", {}, [entry("0123456789abcdef")])
    on_disk = pq.read_table(store.root / "trials" / "0123456789abcdef" / "trial.parquet")
    assert on_disk["trained"].null_count == 1
    assert pq.read_table(store.root / "trials" / "0123456789abcdef" / "history.parquet")["loss"].null_count == 1
    results = store.read("one")
    assert np.isnan(results.trials["trained"].iloc[0]) and results.trials["trained"].dtype == np.float64
    assert results.trials["seed"].dtype == np.int64


def test_dtypes_do_not_depend_on_the_rows(store):
    store.commit(record("aaaa", trained=5, total=10))
    store.commit(record("bbbb"))
    store.declare("full", {}, [entry("aaaa")])
    store.declare("null", {}, [entry("bbbb")])
    store.declare("none", {}, [entry("cccc")])
    dtypes = [
        store.read(name).trials[["trained", "seed", "share"]].dtypes.tolist() for name in ("full", "null", "none")
    ]
    assert dtypes[0] == dtypes[1] == dtypes[2]


def test_missing_trials_are_named_and_order_is_the_declared_one(store):
    for ident in ("bbbb", "aaaa"):
        store.commit(record(ident))
    store.declare("one", {}, [entry("bbbb"), entry("dddd", seed=3), entry("aaaa")])
    results = store.read("one")
    assert list(results.trials["id"]) == ["bbbb", "aaaa"]
    assert [(trial["id"], trial["seed"], trial["why"]) for trial in results.missing] == [("dddd", 3, "not run")]


def test_two_studies_may_name_a_shared_trial_differently(store):
    store.commit(record("aaaa", label="lora", budget="1%"))
    store.declare("one", {}, [entry("aaaa", label="rank 8", budget="2%")])
    row = store.read("one").trials.iloc[0]
    assert (row["label"], row["budget"]) == ("rank 8", "2%")


def test_only_the_tables_asked_for_are_read(store):
    store.commit(record("aaaa"))
    store.declare("one", {}, [entry("aaaa")])
    (store.root / "trials" / "aaaa" / "queries.parquet").unlink()
    assert len(store.read("one", ("trials", "scores")).scores) == 1


def test_a_second_commit_changes_nothing(store):
    assert store.commit(record(value=1.0))
    place = store.root / "trials" / "0123456789abcdef"
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert not store.commit(record(value=2.0))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert list((store.root / "trials").glob(".tmp-*")) == []


@pytest.mark.parametrize(
    "change, words",
    [
        ({"trial": {"rnk": 1}}, "no column 'rnk'"),
        ({"trial": {"status": "great"}}, "unknown status"),
        ({"trial": {"method": None}}, "method has 1 null"),
        ({"trial": {"trained": "many"}}, "trials.trained"),
        ({"trial": {"id": "../../etc"}}, "not a trial id"),
        ({"scores": [{"metric": "R1"}]}, "null"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(store, change, words):
    given = record()
    parts = {"trial": {**given.trial, **change.get("trial", {})}, "scores": change.get("scores", given.scores)}
    with pytest.raises(ValueError, match=words):
        store.commit(Record(**parts))
    assert store.ids() == set() and list((store.root / "trials").iterdir()) == []


def test_declaring_a_trial_twice_or_half_is_refused(store):
    with pytest.raises(ValueError, match="twice"):
        store.declare("one", {}, [entry("aaaa"), entry("aaaa")])
    with pytest.raises(ValueError, match="without label"):
        store.declare("one", {}, [{k: v for k, v in entry("aaaa").items() if k != "label"}])
    with pytest.raises(UserError, match="cannot name a study"):
        store.declare("../one", {}, [])


def test_an_unknown_study_is_answered_with_the_nearest(store):
    store.declare("demo", {}, [])
    with pytest.raises(UserError, match="did you mean demo"):
        store.read("dmeo")


def test_a_reader_sees_the_old_declaration_or_the_new_one(store):
    trials = [entry(f"{number:04x}") for number in range(200)]
    store.declare("one", {}, trials)
    if not (child := os.fork()):
        try:
            for turn in range(60):
                store.declare("one", {}, trials[: 200 if turn % 2 else 100])
        finally:
            os._exit(0)
    seen = set()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        seen.add(len(store.declaration("one")["trials"]))
    assert seen <= {100, 200} and seen


def test_runs_are_numbered_and_an_unfinished_record_is_passed_over(store):
    store.record_run("one", {"wall_seconds": 1.0})
    (store.root / "runs" / "one" / "000002.json").touch()
    store.record_run("one", {"wall_seconds": 3.0})
    assert [(run["number"], run["wall_seconds"]) for run in store.runs("one")] == [(1, 1.0), (3, 3.0)]


def test_reading_a_thousand_trials_takes_less_than_two_seconds(store):
    count = 100
    for number in range(count):
        store.commit(record(f"{number:04x}"))
    store.declare("one", {}, [entry(f"{number:04x}") for number in range(count)])
    best = min(_timed(lambda: store.read("one")) for _ in range(3))
    assert best < 2.0 * count / 1000 + 0.3


def _timed(call) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def test_taking_from_another_store(store, tmp_path):
    other = Store(tmp_path / "other")
    other.probe()
    for ident, value in (("aaaa", 1.0), ("bbbb", 2.0), ("cccc", 3.0)):
        other.commit(record(ident, value=value, seconds_total=5.0))
    store.commit(record("bbbb", value=2.0, seconds_total=9.0))
    store.commit(record("cccc", value=4.0))
    assert [store.take(other, ident) for ident in ("aaaa", "bbbb", "cccc")] == ["added", "same", "conflict"]
    store.declare("one", {}, [entry(ident) for ident in ("aaaa", "bbbb", "cccc")])
    assert store.read("one").scores["value"].tolist() == [1.0, 2.0, 4.0]
    assert other.take_study(store, "one") == "added" and other.take_study(store, "one") == "same"
    store.declare("one", {"x": 1}, [])
    assert other.take_study(store, "one") == "conflict"
    path = other.root / "trials" / "aaaa" / "scores.parquet"
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    store.set_aside("aaaa")
    with pytest.raises(DataError, match=r"scores\.parquet"):
        store.take(other, "aaaa")
