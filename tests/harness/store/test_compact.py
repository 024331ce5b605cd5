"""Compaction: few files, the same trials, and everything that a store does goes on."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cli import main
from harness.errors import DataError, EnvironmentFault
from harness.store import reading, schema
from harness.store.files import packs, shards
from harness.store.store import Store
from tests.campaigns.toy import contents, entry, record

IDS = [f"{number:04x}" for number in range(12)]


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    for number, ident in enumerate(reversed(IDS)):
        made.commit(record(ident, value=float(number), queries=2 + number, seconds_total=float(number)))
    made.declare("one", {}, [entry(ident) for ident in IDS])
    return made


def test_a_reader_finds_the_same(store):
    before = contents(store)
    done = store.compact()
    assert (done.trials, done.from_shards, len(done.packs), done.damaged) == (12, 12, 1, {})
    assert list((store.root / "trials").iterdir()) == [] and contents(store) == before
    store.declare("two", {}, [entry(ident) for ident in IDS[5:2:-1]])
    assert store.read("two").trials["id"].tolist() == IDS[5:2:-1]
    assert contents(store, "two")["queries"] == [row for i in IDS[5:2:-1] for row in before["queries"] if row[0] == i]
    assert store.compact().packs == []


def test_dtypes_are_those_of_shards(store):
    before = store.read("one")
    store.compact()
    after = store.read("one")
    for name in ("trials", "scores", "history", "queries"):
        assert getattr(before, name).dtypes.tolist() == getattr(after, name).dtypes.tolist()


def test_a_packed_trial_is_done_and_stays_as_it_is(store):
    before = contents(store)
    store.compact()
    assert store.done(IDS) == store.ids() == set(IDS) and store.done(IDS * 4 + ["zzzz"]) == set(IDS)
    assert not store.commit(record(IDS[0], value=99.0)) and contents(store) == before
    with store.claim(IDS[0]) as claim:
        assert not store.commit(record(IDS[0], value=99.0), claim.token)


def test_new_trials_join_and_small_packs_become_one(store):
    store.compact()
    store.commit(record("aaaa", value=50.0))
    store.declare("one", {}, [entry(ident) for ident in ["aaaa", *IDS]])
    before = contents(store)
    assert store.read("one").trials["id"].iloc[0] == "aaaa"
    done = store.compact()
    assert (done.trials, done.from_shards, done.old_packs, len(done.packs)) == (13, 1, 1, 1)
    assert contents(store) == before and len(list((store.root / "packs").iterdir())) == 1


def test_packs_are_closed_when_full_and_left_alone(store, monkeypatch):
    monkeypatch.setattr(packs, "MOST_TRIALS", 5)
    before = contents(store)
    done = store.compact()
    assert len(done.packs) == 3 and contents(store) == before
    full = {p.name for p in (store.root / "packs").iterdir() if packs.index(store.files, p.name).at.keys() & {IDS[0]}}
    store.commit(record("aaaa"))
    assert len(full & {p.name for p in (store.root / "packs").iterdir()}) == 1
    store.compact()
    assert full < {p.name for p in (store.root / "packs").iterdir()}
    monkeypatch.setattr(packs, "MOST_ROWS", 6)
    store.commit(record("bbbb", queries=5))
    store.commit(record("cccc", queries=5))
    assert len(store.compact().packs) >= 2 and contents(store) == before


def test_a_trial_of_a_pack_is_set_aside_and_measured_again(store):
    store.compact()
    place = store.set_aside(IDS[3])
    assert (place / "scores.parquet").is_file() and store.done(IDS) == set(IDS) - {IDS[3]}
    assert [trial["why"] for trial in store.read("one").missing] == ["not run"]
    assert store.commit(record(IDS[3], value=77.0)) and store.read("one").scores["value"].tolist()[3] == 77.0
    store.compact()
    assert store.read("one").scores["value"].tolist()[3] == 77.0 and list((store.root / "gone").iterdir()) == []
    store.set_aside(IDS[3])
    store.compact()
    assert store.done(IDS) == set(IDS) - {IDS[3]}, "what was taken out does not come back"


def test_nothing_goes_before_the_pack_that_holds_it_is_written(store, monkeypatch):
    before = contents(store)

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs, "write", full)
    with pytest.raises(OSError, match="No space"):
        store.compact()
    assert contents(store) == before and store.ids() == set(IDS)


def test_a_trial_in_two_packs_is_taken_out_of_both(store):
    first = next(iter(store.compact().packs))
    packs.write(store.files, [reading.Entries(store.files)[IDS[3]]])
    assert len(packs.holders(store.files, IDS[3])) == 2
    store.set_aside(IDS[3])
    assert store.done(IDS) == set(IDS) - {IDS[3]} and packs.holder(store.files, IDS[2]) == first


@pytest.mark.timeout(10)
def test_setting_aside_ends_where_marks_are_not_seen(store, monkeypatch):
    store.compact()
    names = store.files.names
    monkeypatch.setattr(store.files, "names", lambda folder: names(folder) if folder != packs.GONE else [])
    assert (store.set_aside(IDS[3]) / "scores.parquet").is_file()
    monkeypatch.undo()
    assert store.done(IDS) == set(IDS) - {IDS[3]}


def test_a_damaged_shard_stays_where_it_is_and_is_told(store):
    path = store.root / "trials" / IDS[2] / "history.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    done = store.compact()
    assert list(done.damaged) == [IDS[2]] and path.is_file() and done.trials == 11
    assert [trial["id"] for trial in store.read("one").missing] == [IDS[2]]


@pytest.mark.parametrize("name", ["queries.parquet", "index.parquet", "commit.json"])
def test_a_damaged_pack_is_told_and_never_computed_anew_in_silence(store, name):
    store.compact()
    (place,) = (store.root / "packs").iterdir()
    blob = bytearray((place / name).read_bytes())
    blob[len(blob) // 2] ^= 1
    (place / name).write_bytes(bytes(blob))
    assert all(name in trial["why"] for trial in store.read("one").missing) and len(store.read("one").missing) == 12
    if name == "queries.parquet":
        assert store.damaged(IDS).keys() == set(IDS)
        store.set_aside(IDS[0])
        assert IDS[0] not in store.done(IDS) and store.commit(record(IDS[0], value=5.0))
        assert store.read("one").scores["value"].tolist() == [5.0]
    else:
        packs._known.cache_clear()
        for ask in (lambda: store.done(IDS), store.ids, lambda: store.commit(record("ffff")), store.compact):
            with pytest.raises(DataError, match=f"{name}.*cannot be told"):
                ask()


def test_a_pack_of_a_newer_schema_is_refused(store, monkeypatch):
    today = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", today + 1)
    store.compact()
    monkeypatch.setattr(schema, "VERSION", today)
    packs._known.cache_clear()
    with pytest.raises(DataError, match="newer release"):
        store.read("one")


def test_a_pack_that_cannot_be_read_back_removes_nothing(store, monkeypatch):
    before = contents(store)
    digest = shards.digest
    # What is in memory and what is on disk differ.
    monkeypatch.setattr(shards, "digest", lambda table: digest(table) + str(np.random.default_rng().random()))
    with pytest.raises(DataError, match="not what is read back"):
        store.compact()
    monkeypatch.undo()
    assert len(list((store.root / "trials").iterdir())) == 12 and contents(store) == before


def test_a_pack_that_cannot_be_written_removes_nothing(store, monkeypatch):
    before = contents(store)
    monkeypatch.setattr(packs, "write", lambda *_: (_ for _ in ()).throw(EnvironmentFault("no room")))
    with pytest.raises(EnvironmentFault, match="no room"):
        store.compact()
    assert len(list((store.root / "trials").iterdir())) == 12 and contents(store) == before


def test_published_records_take_few_bytes(store):
    # Ranks of a trained model, as far as the encodings are concerned: few small ones, `inp` a ratio, `ap` repeated.
    rng, rows = np.random.default_rng(0), 20_000
    first = np.minimum(rng.geometric(0.3, rows), 300)
    inp = (4 / (first + rng.geometric(0.05, rows))).astype(np.float32)
    columns = {"query": np.arange(rows) % 500, "person": np.arange(rows) % 500 // 4, "positives": np.full(rows, 4)}
    columns |= {"first": first, "ap": (0.7 / first + 0.3 * inp).astype(np.float32), "inp": inp}
    place = {"id": "aaaa", "dataset": "synth", "split": "test", "direction": "t2i"}
    table = schema.build("queries", columns, **place)
    sizes = [
        len(shards.encode("aaaa", {"queries": table}, how)["queries.parquet"])
        for how in (packs._options, lambda table: {"compression": "zstd", "use_dictionary": False})
    ]
    assert sizes[0] < 3.05 * rows and sizes[0] < 0.9 * sizes[1], sizes


def test_a_digest_sees_values_and_not_their_encoding(store):
    one = store.read("one")
    tables = [schema.build("queries", one.queries) for _ in range(2)]
    other = one.queries.copy()
    assert shards.digest(tables[0]) == shards.digest(tables[1].slice(0, len(other)))
    for column, value in (("first", 399), ("ap", None), ("dataset", "x")):
        changed = other.copy()
        changed.loc[3, column] = value
        assert shards.digest(schema.build("queries", changed)) != shards.digest(tables[0]), column


def test_merging_takes_from_packs_and_compares_with_them(store, tmp_path):
    store.compact()
    other = Store(tmp_path / "other")
    other.commit(record(IDS[0], value=11.0, queries=13))
    other.commit(record(IDS[1], value=-1.0, queries=12))
    verdicts = other.take_all(store, IDS)
    assert [verdicts[ident] for ident in IDS[:3]] == ["same", "conflict", "added"] and len(verdicts) == 12
    assert other.take_study(store, "one") == "added" and not other.read("one").missing
    assert set(store.take_all(other, IDS).values()) == {"same", "conflict"}


def test_the_command_says_what_it_did(store, tmp_path, capsys):
    assert main.call(["compact", "--store", str(store.root)]) == 0
    assert "12 trials in 1 pack, from 12 shards and 0 older packs" in capsys.readouterr().out
    assert main.call(["compact", "--store", str(store.root)]) == 0 and "nothing" in capsys.readouterr().out
    assert main.call(["compact", "--store", str(tmp_path / "none")]) == 4
