"""The store: damage is told, what dead writers left is cleared, other schemas are read or refused."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import DataError, EnvironmentFault
from harness.store import schema
from harness.store.files import disk, processes
from harness.store.files import local as files
from harness.store.store import Store
from tests.campaigns.toy import entry, record

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    made.probe()
    return made


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
    today = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", today + 1)
    store.commit(record("aaaa"))
    assert not store.read("one").missing
    monkeypatch.setattr(schema, "VERSION", today)
    with pytest.raises(DataError, match=rf"newer release of upbench \(schema {today + 1}\)"):
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
    mine = store.root / "trials" / processes.temporary("aaaa")
    mine.mkdir()
    dead = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from harness.store.files import "
         "processes; print(processes.temporary('bbbb'))"], capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (store.root / "trials" / dead).mkdir()
    reused = "-".join([*mine.name.split("-")[:-2], "1", "x"])  # our pid, another start time: a reused pid
    (store.root / "trials" / reused).mkdir()
    foreign = mine.name.replace(processes.host(), "f" * 8)
    (store.root / "trials" / foreign).mkdir()
    removed = store.files.collect("trials")
    assert {path.name for path in removed} == {dead, reused}
    week = time.time() - files.FOREIGN_SECONDS - 10
    os.utime(store.root / "trials" / foreign, (week, week))
    assert [path.name for path in store.files.collect("trials")] == [foreign] and mine.is_dir()


def test_an_unwritable_store_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="not writable"):
        Store(tmp_path / "file").probe()


@pytest.mark.parametrize(
    "module, name, words", [(os, "link", "hard links: Operation not permitted"), (fcntl, "flock", r"locks \(flock\)")]
)
def test_a_file_system_without_links_or_locks_is_told(tmp_path, monkeypatch, module, name, words):
    def lacking(*given, **more):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(module, name, lacking)
    with pytest.raises(EnvironmentFault, match=words) as caught:
        Store(tmp_path / "store").probe()
    assert caught.value.exit_code == 3 and not list((tmp_path / "store" / "trials").iterdir())


def test_any_flipped_bit_is_detected(store):
    store.commit(record())
    store.declare("one", {"name": "one"}, [entry("0123456789abcdef")])
    store.record_run("one", {"wall_seconds": 1.5})
    files = [path for path in store.root.rglob("*") if path.is_file() and path.name[0] != "."]
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


def test_a_short_write_is_gone_on_with_to_the_last_byte(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, blob: write(handle, bytes(blob)[:7]))
    disk.write_synced(tmp_path / "file", b"0123456789" * 5)
    store = Store(tmp_path / "store")
    store.declare("one", {}, [entry("aaaa")])
    store.commit(record("aaaa"))
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 5 and not store.read("one").missing
    monkeypatch.setattr(os, "write", lambda handle, blob: 0)
    with pytest.raises(OSError, match="Input/output"):
        disk.write_synced(tmp_path / "none", b"x")


def test_everything_is_synced_before_it_is_visible(tmp_path, monkeypatch):
    synced, opened, seen = set(), {}, []

    def wrap(name, after):
        function = getattr(os, name)

        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            after(result, *args)
            return result

        monkeypatch.setattr(os, name, call)

    def visible(result, source, target, *rest):
        if "claims" not in str(target) and "commit.lock" not in str(target):
            files_ = [source, *Path(target).iterdir()] if Path(target).is_dir() else [source]
            names = {Path(file).name for file in files_}
            seen.append((Path(target), names - synced))
            if ".tmp-" not in str(target):
                synced.discard(str(Path(target).parent))

    wrap("open", lambda handle, path, *rest: opened.update({handle: path}))
    wrap("fsync", lambda result, handle: synced.update({str(opened[handle]), Path(opened[handle]).name}))
    for name in ("rename", "replace", "link"):
        wrap(name, visible)
    store = Store(tmp_path / "store")
    store.declare("one", {}, [entry("aaaa")])
    store.commit(record("aaaa"))
    store.record_run("one", {"wall_seconds": 1.0})
    store.compact()
    committed = [(path, missing) for path, missing in seen if ".tmp-" not in path.name]
    assert {path.parent.name for path, _ in committed} == {"studies", "trials", "one", "packs"}
    assert all(not missing for _, missing in committed), committed
    for path, _ in committed:
        assert str(path.parent) in synced, f"the folder of {path} is not synced after the rename"
