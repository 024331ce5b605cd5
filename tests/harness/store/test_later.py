"""What was measured of a trial later is read as its own, wherever it lies, and goes where the trial goes."""

from __future__ import annotations

import pytest

from harness.cli import main
from harness.store import later
from harness.store.store import Store
from tests.campaigns.toy import entry, record

IDS = ("aaaa", "bbbb", "cccc")
SPEC = {"dataset": {"dataset": "other", "options": {}}}


def measured(store: Store, trial: str, value: float) -> str:
    """Scores and records of a trial on another data set."""
    ident = later.mark(store.files, trial, "other")
    given = record(ident, value=value, queries=3, phase=later.PHASE, commit="c0ffee", dirty=False, spec=SPEC)
    scores = [{**row, "dataset": "other"} for row in given.scores]
    queries = {**given.queries, "dataset": ["other"] * 3}
    assert store.commit(given.__class__(given.trial, scores, (), queries))
    return ident


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    for number, ident in enumerate(IDS):
        made.commit(record(ident, value=float(number), commit="c0ffee", dirty=False), model=b"model")
    made.declare("one", {}, [entry(ident) for ident in IDS])
    return made


def told(store: Store) -> dict[str, list[tuple]]:
    """Scores of each trial, and how many per-query records it has on each data set."""
    found = store.read("one")
    assert not found.missing and found.trials["id"].tolist() == list(IDS) and len(found.history) == 3
    counts = found.queries.groupby(["id", "dataset"]).size()
    rows = found.scores[["id", "dataset", "value"]].itertuples(index=False)
    by: dict[str, list[tuple]] = {ident: [] for ident in IDS}
    for ident, dataset, value in rows:
        by[ident].append((dataset, value, int(counts[ident, dataset])))
    return by


WITH = {"aaaa": [("synth", 0.0, 2)], "bbbb": [("synth", 1.0, 2), ("other", 51.0, 3)], "cccc": [("synth", 2.0, 2)]}


def test_it_is_read_as_the_trials_own_in_shards_and_packs(store, tmp_path):
    before = told(store)
    ident = measured(store, "bbbb", 51.0)
    assert told(store) == WITH != before and store.done([ident]) == {ident}
    later.mark(store.files, "aaaa", "other")  # asked for, and not measured yet
    assert told(store) == WITH
    store.compact()
    assert told(store) == WITH and not store.files.shards("trials")
    measured(store, "cccc", 52.0)
    assert told(store) == {**WITH, "cccc": [("synth", 2.0, 2), ("other", 52.0, 3)]}
    assert [len(store.read("one", (table,)).scores) for table in ("trials", "scores")] == [0, 5]


def test_a_data_set_as_it_comes_is_told_from_the_trials_own_of_that_name(tmp_path):
    store, own = Store(tmp_path / "store"), {"dataset": "synth", "options": {"size": "demo"}}
    given = record("aaaa")
    scores = [{**row, "dataset": 'synth {"size": "demo"}'} for row in given.scores]
    store.commit(given.__class__(given.trial, scores))
    store.declare("one", {}, [entry("aaaa", trial={"dataset": own, "evaluate_on": []})])
    spec = {"dataset": {"dataset": "synth", "options": {}}}
    more = record(later.mark(store.files, "aaaa", "synth"), value=3.0, phase=later.PHASE, spec=spec)
    store.commit(more.__class__(more.trial, more.scores))
    assert sorted(store.read("one").scores[["dataset", "value"]].itertuples(index=False, name=None)) == [
        ("synth", 3.0),
        ("synth (size demo)", 41.5),
    ]


def test_one_that_is_damaged_takes_its_trial_out_of_reports_and_is_named(store):
    ident = measured(store, "bbbb", 51.0)
    path = store.root / "trials" / ident / "scores.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    (absent,) = (found := store.read("one")).missing
    assert absent["id"] == "bbbb" and "scores.parquet" in absent["why"] and "upbench evaluate" in absent["why"]
    for table in (found.trials, found.scores, found.queries, found.history):
        assert set(table["id"]) == {"aaaa", "cccc"}
    assert not store.damaged(IDS) and list(store.damaged([ident])) == [ident]
    path.write_bytes(good)
    assert told(store) == WITH


def test_it_goes_where_its_trial_goes(store, tmp_path, capsys):
    ident = measured(store, "bbbb", 51.0)
    one = Store(tmp_path / "one")
    assert one.take_all(store, IDS) == dict.fromkeys(IDS, "added") and one.take_study(store, "one") == "added"
    assert told(one) == WITH and one.take_all(store, IDS) == dict.fromkeys(IDS, "same")
    assert main.call(["merge", str(store.root), "--store", str(tmp_path / "two")]) == 0
    assert "3 trials added" in capsys.readouterr().out and told(Store(tmp_path / "two")) == WITH
    assert main.call(["publish", "one", "--store", str(store.root), "--to", str(tmp_path / "out")]) == 0
    assert "3 trials copied" in capsys.readouterr().out and told(Store(tmp_path / "out")) == WITH
    store.set_aside(ident)
    assert told(store) == {**WITH, "bbbb": WITH["bbbb"][:1]}
    assert measured(store, "bbbb", 53.0) == ident
    assert one.take_all(store, IDS)[ident] == "conflict" and told(one) == WITH
    assert main.call(["merge", str(store.root), "--store", str(tmp_path / "two")]) == 4
    assert f"trial {ident} differs" in capsys.readouterr().err


@pytest.mark.parametrize("packed", [False, True])
def test_it_goes_aside_with_its_trial(store, packed):
    ident = measured(store, "bbbb", 51.0)
    if packed:
        store.compact()
    store.set_aside("bbbb")
    assert store.done([*IDS, ident]) == {"aaaa", "cccc"}
    store.commit(record("bbbb", value=1.0))
    assert told(store) == {**WITH, "bbbb": WITH["bbbb"][:1]}


def test_what_was_measured_on_uncommitted_code_is_not_published(store, tmp_path, capsys):
    ident = later.mark(store.files, "bbbb", "other")
    store.commit(record(ident, phase=later.PHASE, commit="c0ffee", dirty=True, spec=SPEC))
    assert main.call(["publish", "one", "--store", str(store.root), "--to", str(tmp_path / "out")]) == 2
    assert "uncommitted code" in capsys.readouterr().err
