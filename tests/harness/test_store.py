"""The store: whole or absent, once, unchanged, and complete when read."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import schema, shards
from harness.errors import DataError, EnvironmentFault, UserError
from harness.store import Record, Store

ROOT = Path(__file__).parents[2]


def record(ident: str = "0123456789abcdef", value: float = 41.5, **trial: object) -> Record:
    row = {
        "id": ident,
        "label": "lora",
        "method": "lora",
        "dataset": "synth",
        "seed": 0,
        "status": "ok",
        "spec": {"a": 1},
    }
    place = {"dataset": "synth", "split": "test", "direction": "t2i"}
    score = {**place, "choice": "selected", "metric": "R1", "value": value, "queries": 2, "gallery": 3, "unmatched": 0}
    return Record(
        trial=row | trial,
        scores=[score],
        history=[{"epoch": 1, "step": 10, "loss": float("nan"), "val_R1": 30.0}],
        queries={
            **{key: [text] * 2 for key, text in place.items()},
            "query": np.arange(2),
            "person": np.array([7, 8]),
            "positives": np.array([1, 2]),
            "first": np.array([1, 3]),
            "ap": np.array([1.0, 0.25], dtype=np.float32),
            "inp": np.array([1.0, 0.5], dtype=np.float32),
        },
    )


def entry(ident: str, **more: object) -> dict:
    plain = {"label": "lora", "method": "lora", "budget": None, "dataset": "synth", "seed": 0, "trial": {}}
    return {"id": ident, **plain, **more}


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


def in_child(work) -> int:
    """Exit code of `work()` in a forked process."""
    child = os.fork()
    if not child:
        try:
            os._exit(work() or 0)
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_all(root: Path, fail_at: int, how: str, counted: Path | None = None) -> int:
    """Declare, commit and record a run; the `fail_at`-th operation on files ends the process or fails."""
    count = 0

    def wrap(function):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == fail_at:
                if how == "exit":
                    os._exit(9)
                raise OSError(getattr(errno, how), os.strerror(getattr(errno, how)))
            return function(*args, **kwargs)

        return call

    store = Store(root)
    for name in ("mkdir", "rename", "replace", "fsync", "open"):
        setattr(os, name, wrap(getattr(os, name)))
    shards.open = wrap(open)
    try:
        store.declare("one", {}, [entry("0123456789abcdef"), entry("aaaa")])
        store.commit(record())
        store.record_run("one", {"wall_seconds": 1.0})
    except OSError:
        return 3
    if counted:
        counted.write_text(str(count))
    return 0


def with_old_trial(root: Path) -> Store:
    store = Store(root)
    store.probe()
    store.commit(record("aaaa", value=7.0))
    return store


@pytest.mark.parametrize("how", ["exit", "ENOSPC", "EIO"])
def test_a_crash_between_any_two_operations_leaves_all_or_nothing(tmp_path, how):
    with_old_trial(tmp_path / "whole")
    assert in_child(lambda: write_all(tmp_path / "whole", 0, how, tmp_path / "count")) == 0
    operations = int((tmp_path / "count").read_text())
    assert operations > 25
    committed = failed = 0
    for at in range(1, operations + 1):
        root = tmp_path / f"at{at}"
        store = with_old_trial(root)
        kept = {path.name: path.read_bytes() for path in (root / "trials" / "aaaa").iterdir()}
        code = in_child(lambda root=root, at=at: write_all(root, at, how))
        done = store.done(["0123456789abcdef"])
        if how == "exit":
            assert code == 9
        else:
            # Making a folder that exists may fail without harm.
            assert code == 3 or (code == 0 and done)
            assert list(root.rglob(".tmp-*")) == [], "a writer that lives clears up after itself"
        failed += code == 3
        if store.studies():
            results = store.read("one")
            assert set(results.trials["id"]) == {"aaaa"} | done and len(results.missing) == 1 - len(done)
        store.runs("one")
        assert {path.name: path.read_bytes() for path in (root / "trials" / "aaaa").iterdir()} == kept
        committed += len(done)
        store.probe()
        assert list(root.rglob(".tmp-*")) == [], "what the dead writer left is collected"
        assert in_child(lambda root=root: write_all(root, 0, how)) == 0
        assert not store.read("one").missing and store.runs("one")[-1]["wall_seconds"] == 1.0
    assert 0 < committed < operations
    assert how == "exit" or failed > 20


def test_eight_writers_commit_each_trial_once(store):
    def writer(me: int) -> int:
        return sum(store.commit(record(f"{number:04x}", value=float(me))) for number in range(40))

    children = []
    for me in range(8):
        if not (child := os.fork()):
            try:
                os._exit(writer(me))
            finally:
                os._exit(70)
        children.append(child)
    wins = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sum(wins) == 40
    store.declare("one", {}, [entry(f"{number:04x}") for number in range(40)])
    results = store.read("one")
    assert not results.missing and len(results.trials) == 40 and len(results.scores) == 40
    assert results.scores["value"].value_counts().to_dict() == {float(me): n for me, n in enumerate(wins) if n}
    assert list((store.root / "trials").glob(".tmp-*")) == []


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


def test_any_flipped_bit_is_detected(store):
    store.commit(record())
    store.declare("one", {"name": "one"}, [entry("0123456789abcdef")])
    store.record_run("one", {"wall_seconds": 1.5})
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert len(files) == 7
    rng = np.random.default_rng(0)
    for path in files:
        good = path.read_bytes()
        for bit in rng.choice(8 * len(good), 40, replace=False):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(bytes(bad))
            try:
                store.runs("one")
                why = [trial["why"] for trial in store.read("one").missing]
                assert why and path.name in why[0], f"bit {bit} of {path} went unnoticed"
            except DataError as error:
                assert path.name in str(error)
        path.write_bytes(good)
    assert not store.read("one").missing


def test_other_readers_are_warned_by_page_checksums(store):
    store.commit(record())
    path = store.root / "trials" / "0123456789abcdef" / "queries.parquet"
    good = path.read_bytes()
    place = good.index(np.array([1.0, 0.25], dtype="<f4").tobytes())
    path.write_bytes(good[: place + 5] + bytes([good[place + 5] ^ 1]) + good[place + 6 :])
    assert pq.ParquetFile(path).read()["ap"].to_pylist()[1] != 0.25, (
        "another value, and nothing amiss without checksums"
    )
    with pytest.raises((OSError, pa.ArrowException), match="checksum"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_a_damaged_trial_is_told_and_can_be_set_aside(store):
    for ident in ("aaaa", "bbbb"):
        store.commit(record(ident))
    store.declare("one", {}, [entry("aaaa"), entry("bbbb")])
    path = store.root / "trials" / "aaaa" / "scores.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    assert list(store.damaged(["aaaa", "bbbb", "cccc"])) == ["aaaa"]
    assert "scores.parquet" in store.read("one").missing[0]["why"] and list(store.read("one").trials["id"]) == ["bbbb"]
    place = store.set_aside("aaaa")
    assert (place / "scores.parquet").is_file() and store.done(["aaaa"]) == set()
    assert store.commit(record("aaaa")) and not store.read("one").missing
    assert store.set_aside("aaaa") != place


def test_a_newer_schema_is_refused_and_an_older_one_is_filled_up(store, monkeypatch):
    store.declare("one", {}, [entry("aaaa")])
    monkeypatch.setattr(schema, "VERSION", 2)
    store.commit(record("aaaa"))
    assert not store.read("one").missing
    monkeypatch.setattr(schema, "VERSION", 1)
    with pytest.raises(DataError, match=r"newer release of upbench \(schema 2\)"):
        store.read("one")
    store.set_aside("aaaa")
    fields = schema.SCHEMAS["history"]
    older = pa.schema([f for f in fields if f.name not in ("val_mAP", "lr")])
    monkeypatch.setitem(schema.SCHEMAS, "history", older)
    store.commit(record("aaaa"))
    monkeypatch.setitem(schema.SCHEMAS, "history", fields)
    history = store.read("one").history
    assert list(history.columns) == fields.names and history["val_mAP"].isna().all() and history["val_R1"].notna().all()


def test_orphans_of_the_living_stay(store):
    mine = store.root / "trials" / shards._temporary("aaaa")
    mine.mkdir()
    dead = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from harness import shards;"
         "print(shards._temporary('bbbb'))"], capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (store.root / "trials" / dead).mkdir()
    reused = "-".join([*mine.name.split("-")[:-2], "1", "x"])  # our pid, another start time: a reused pid
    (store.root / "trials" / reused).mkdir()
    foreign = mine.name.replace(shards._host(), "f" * 8)
    (store.root / "trials" / foreign).mkdir()
    removed = shards.collect(store.root / "trials")
    assert {path.name for path in removed} == {dead, reused}
    week = time.time() - shards.FOREIGN_SECONDS - 10
    os.utime(store.root / "trials" / foreign, (week, week))
    assert [path.name for path in shards.collect(store.root / "trials")] == [foreign] and mine.is_dir()


def test_an_unwritable_store_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="not writable"):
        Store(tmp_path / "file").probe()


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
