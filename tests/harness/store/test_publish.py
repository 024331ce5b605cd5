"""Publishing and merging: what is taken, what is compared, what is said, and how many bytes it is."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.cli import main
from harness.errors import UserError
from harness.store import merge, schema
from harness.store.files.checksummed import unseal
from harness.store.files.packs import Entry
from harness.store.store import Store
from reports.compare import Records
from tests.campaigns import sizes
from tests.campaigns.toy import contents, entry, record

IDS = ("aaaa", "bbbb", "cccc")


def both_ways(ident: str, value: float = 1.0, **more):
    """A trial with per-query records in both directions, measured on a clean commit."""
    made = record(ident, value=value, queries=6, commit="c0ffee", dirty=False, release="0.1.0", **more)
    t2i = pd.DataFrame(made.queries)
    return made.__class__(made.trial, made.scores, made.history, pd.concat([t2i, t2i.assign(direction="i2t")]))


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "local")
    for ident in IDS:
        made.commit(both_ways(ident))
    made.declare("one", {"name": "one"}, [entry(ident) for ident in IDS])
    made.record_run("one", {"wall_seconds": 1.0})
    return made


def publish(store: Store, to, *more: str) -> int:
    return main.call(["publish", "one", "--store", str(store.root), "--to", str(to), *more])


@pytest.mark.parametrize("how, rows", [("all", 36), ("selected", 18), ("none", 0)])
def test_what_is_published_is_said_and_no_more(store, tmp_path, capsys, how, rows):
    assert publish(store, tmp_path / "reference", "--queries", how) == 0
    assert "3 trials copied" in capsys.readouterr().out
    published = Store(tmp_path / "reference")
    found, full = published.read("one"), store.read("one")
    for name in ("trials", "scores", "history"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(full, name))
    assert len(found.queries) == rows and len(published.files.shards("trials")) == 0
    said = unseal(published.root / "published" / "one.json")
    assert (said["queries"], said["trials"], said["commits"]) == (how, 3, ["c0ffee"]) and "Kept" in said["statement"]
    assert [run["wall_seconds"] for run in published.runs("one")] == [1.0]
    assert publish(store, tmp_path / "reference", "--queries", how) == 0
    assert "0 trials copied" in capsys.readouterr().out and len(published.runs("one")) == 1


def test_paired_statistics_need_no_more_than_what_is_selected(store, tmp_path):
    assert publish(store, tmp_path / "reference") == 0
    ours, theirs = (Records(s.read("one").queries) for s in (store, Store(tmp_path / "reference")))
    one, two = (records._frame.reset_index(drop=True) for records in (ours, theirs))
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 18


def test_a_published_store_agrees_with_the_full_one(store, tmp_path, capsys):
    assert publish(store, tmp_path / "reference") == 0
    for here, there in ((store.root, tmp_path / "reference"), (tmp_path / "reference", store.root)):
        assert main.call(["merge", str(there), "--store", str(here)]) == 0
        assert "0 trials added, 3 the same, 0 in conflict" in capsys.readouterr().out
    assert len(store.read("one").queries) == 36, "the full records stay"
    other = Store(tmp_path / "other")
    changed = both_ways("aaaa")
    changed.queries.loc[0, "first"] = 300
    other.commit(changed)
    assert Store(tmp_path / "reference").take(other, "aaaa") == "conflict"


def test_a_conflict_is_shown_and_changes_nothing(store, tmp_path, capsys):
    other = Store(tmp_path / "other")
    other.commit(both_ways("aaaa", value=2.0))
    other.commit(both_ways("bbbb", seconds_total=77.0))
    other.commit(both_ways("dddd"))
    other.declare("one", {"name": "another"}, [entry("dddd")])
    other.record_run("one", {"wall_seconds": 9.0})
    before = contents(store)
    assert main.call(["merge", str(other.root), "--store", str(store.root)]) == 4
    told = capsys.readouterr()
    assert "1 trials added, 1 the same, 1 in conflict; 0 studies added, 1 records of runs" in told.out
    assert "trial aaaa differs; the one here stays" in told.err and "study one differs" in told.err
    assert contents(store) == before and store.done(["dddd"])
    assert [run["wall_seconds"] for run in store.runs("one")] == [1.0, 9.0]
    main.call(["merge", str(other.root), "--store", str(store.root)])
    assert len(store.runs("one")) == 2, "a record is taken once"


def test_uncommitted_code_is_never_published(store, tmp_path, capsys):
    store.commit(record("dddd", commit="c0ffee", dirty=True))
    store.declare("one", {"name": "one"}, [entry(ident) for ident in (*IDS, "dddd")])
    assert publish(store, tmp_path / "reference") == 2 and not (tmp_path / "reference").exists()
    assert "1 of 4 trials of study 'one' were measured on uncommitted code" in capsys.readouterr().err


def test_thinning_goes_one_way(store):
    entry_of = Entry("aaaa", {"queries": schema.build("queries", store.read("one").queries)}, "none")
    assert merge.thin(entry_of, "selected").kept == "none"
    with pytest.raises(UserError):
        store.set_aside("zzzz")


def test_what_is_kept_decides_the_bytes(tmp_path):
    found = sizes.bytes_per_trial(tmp_path, queries=400, test_sets=2, trials=12)
    assert found["none"] < found["selected"] / 2 and found["selected"] < found["all"] * 0.6
