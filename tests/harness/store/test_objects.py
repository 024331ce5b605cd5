"""A store behind a URL keeps the same promises as a folder: against an S3 server in this process, and in memory."""

from __future__ import annotations

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest

from harness.cli import main
from harness.errors import DataError, EnvironmentFault, UserError
from harness.store.files import claims, objects, packs, processes
from harness.store.store import Store, Superseded, Taken
from tests.campaigns.toy import contents, entry, record

IDS = ("aaaa", "bbbb", "cccc")


@pytest.fixture(scope="module")
def server():
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    keep = {name: os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    running.stop()
    for name, value in keep.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def url(request) -> str:
    bucket = "b" + "".join(c for c in request.node.name.lower() if c.isalnum())[:60]
    if request.param == "memory":
        return f"memory://{bucket}/some/prefix"
    request.getfixturevalue("server")
    fsspec.filesystem("s3", use_listings_cache=False).mkdir(bucket)
    return f"s3://{bucket}/some/prefix"


@pytest.fixture
def store(url) -> Store:
    return Store(url)


def fill(store: Store) -> None:
    for number, ident in enumerate(IDS):
        assert store.commit(record(ident, value=float(number)))
    store.declare("one", {"name": "one"}, [entry(ident) for ident in IDS], "why?")


def raw(store: Store) -> list[str]:
    return sorted(path.split("/prefix/", 1)[1] for path in store.files._found(""))


def test_what_is_committed_is_read_back_and_stays(store):
    assert not store.exists() and store.studies() == [] and store.ids() == set()
    store.probe()
    fill(store)
    assert store.exists() and store.done(IDS) == store.ids() == set(IDS)
    assert store.read("one").scores["value"].tolist() == [0.0, 1.0, 2.0]
    before = raw(store)
    assert not store.commit(record("aaaa", value=9.0)) and raw(store) == before
    store.record_run("one", {"wall_seconds": 1.0})
    store.record_run("one", {"wall_seconds": 2.0})
    assert [run["wall_seconds"] for run in store.runs("one")] == [1.0, 2.0]
    with pytest.raises(UserError, match="did you mean one"):
        store.read("on")


def test_a_shard_without_its_commit_record_is_not_there(store, monkeypatch):
    def cut_off(*args, **more):
        raise ConnectionError("cut off")

    monkeypatch.setattr(store.files, "create", cut_off)
    with pytest.raises(EnvironmentFault, match="cut off"):
        store.commit(record("aaaa"))
    monkeypatch.undo()
    store.declare("one", {}, [entry("aaaa")])
    assert len([path for path in raw(store) if path.startswith("trials/aaaa/")]) == 4
    assert store.ids() == set() and [t["why"] for t in store.read("one").missing] == ["not run"]
    store.probe()
    assert len([path for path in raw(store) if path.startswith("trials/")]) == 4, "a writer may still be at it"
    later = store.files._clock() + dt.timedelta(days=8)
    monkeypatch.setattr(store.files, "_clock", lambda: later, raising=False)
    store.probe()
    assert not [path for path in raw(store) if path.startswith("trials/")]
    monkeypatch.undo()
    assert store.commit(record("aaaa")) and not store.read("one").missing


def test_of_many_writers_one_wins_and_the_others_leave_nothing(store):
    def write(me: int) -> bool:
        return Store(store.root).commit(record("aaaa", value=float(me)))

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(write, range(8)))
    assert sum(wins) == 1
    store.declare("one", {}, [entry("aaaa")])
    assert store.read("one").scores["value"].tolist() == [float(wins.index(True))]
    assert len([path for path in raw(store) if path.startswith("trials/")]) == 5


def test_claims_fence_a_late_writer(store, monkeypatch):
    late = store.claim("aaaa")
    with pytest.raises(Taken):
        Store(store.root).claim("aaaa")
    monkeypatch.setattr(processes, "lives", lambda owner: None)  # as another host sees it
    with pytest.raises(Taken, match="heard of 0 s ago"):
        store.claim("aaaa")
    monkeypatch.setattr(claims, "GRACE_SECONDS", -1.0)
    with store.claim("aaaa") as claim:
        with pytest.raises(Superseded):
            store.commit(record("aaaa"), late.token)
        assert store.ids() == set() and store.commit(record("aaaa"), claim.token)
        store.files.touch(f"claims/aaaa-{claim.number:06d}.json")
        assert store.files.age(f"claims/aaaa-{claim.number:06d}.json") < 60
    assert not [path for path in raw(store) if path.startswith(("claims/", "beats/"))]
    with pytest.raises(FileNotFoundError):
        store.files.touch("claims/aaaa-000002.json")


def test_damage_is_told(store):
    fill(store)
    path = next(path for path in raw(store) if path.startswith("trials/bbbb/") and path.endswith("scores.parquet"))
    good = store.files.read(path)
    store.files.replace(path, good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
    assert list(store.damaged(IDS)) == ["bbbb"] and "scores.parquet" in store.damaged(IDS)["bbbb"]
    place = store.set_aside("bbbb")
    assert place == f"{store.root}/aside/bbbb-1" and store.ids() == {"aaaa", "cccc"}
    assert store.commit(record("bbbb", value=1.0)) and store.set_aside("bbbb").endswith("bbbb-2")


def test_a_connection_that_fails_is_no_damage(store, monkeypatch):
    fill(store)
    monkeypatch.setattr(
        store.files._fs, "cat_file", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "reset by peer"))
    )
    with pytest.raises(EnvironmentFault, match="reset by peer"):
        store.damaged(IDS)


def test_compaction_publishing_and_merging_between_a_folder_and_a_bucket(store, tmp_path):
    fill(store)
    before = contents(store)
    done = store.compact()
    assert done.trials == 3 and contents(store) == before and store.files.shards("trials") == []
    assert not [path for path in raw(store) if path.startswith(("trials/", "claims/"))]
    local = Store(tmp_path / "local")
    assert set(local.take_all(store, IDS).values()) == {"added"} and local.take_study(store, "one") == "added"
    assert contents(local) == before
    store.set_aside("bbbb")
    assert store.done(IDS) == {"aaaa", "cccc"} and store.take(local, "bbbb") == "added" and contents(store) == before


def test_commands_take_a_url(url, tmp_path, capsys):
    fill(Store(tmp_path))
    assert main.call(["merge", f"file://{tmp_path}", "--store", url]) == 0
    assert main.call(["compact", "--store", url]) == 0 and "3 trials in 1 pack" in capsys.readouterr().out
    assert main.call(["list", "results", "--store", url]) == 0 and "3 of 3 trials" in capsys.readouterr().out
    assert main.call(["status", "one", "--store", url]) == 0 and "3 of 3 trials" in capsys.readouterr().out


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_told(server):
    with pytest.raises(EnvironmentFault, match="bucket"):
        Store("s3://nowhere-at-all/x").probe()


def test_a_store_that_overwrites_is_refused(monkeypatch):
    store = Store("memory://store/one")
    store.probe()
    write = store.files._fs.pipe_file
    monkeypatch.setattr(store.files._fs, "pipe_file", lambda path, blob, mode="x": write(path, blob))
    with pytest.raises(EnvironmentFault, match="two writers could lose a result"):
        store.probe()


def test_the_lost_answer_to_a_write_is_made_up_for(monkeypatch):
    store = Store("memory://store/two")
    write = store.files._fs.pipe_file

    def twice(path, blob, mode="overwrite"):
        write(path, blob, mode=mode)
        if mode == "create":
            raise FileExistsError("the repetition of a write whose answer was lost")

    monkeypatch.setattr(store.files._fs, "pipe_file", twice)
    assert store.commit(record("aaaa"))
    monkeypatch.undo()
    assert store.ids() == {"aaaa"} and not store.commit(record("aaaa", value=2.0))


def test_an_unknown_kind_of_url_or_a_missing_package_is_told(monkeypatch):
    with pytest.raises(UserError, match="no store of the kind 'nosuch'"):
        Store("nosuch://x")

    def absent(name):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", absent)
    with pytest.raises(EnvironmentFault, match=r"pip install 'upbench\[s3\]'"):
        Store("s3://x/y")


def test_a_folder_may_be_given_as_a_url_and_scratch_is_local(tmp_path, monkeypatch):
    assert Store(f"file://{tmp_path}/x").root == (tmp_path / "x").resolve() == Store(tmp_path / "x").local
    monkeypatch.setenv("UPBENCH_SCRATCH", str(tmp_path))
    one, two = Store("memory://one").local, Store("memory://two").local
    assert one.parent == tmp_path and one != two and not one.exists()


def test_readers_of_a_damaged_pack_in_memory_are_told():
    store = Store("memory://store/three")
    fill(store)
    store.compact()
    packs._known.cache_clear()
    path = next(path for path in store.files._found("packs") if path.endswith("index.parquet"))
    store.files._fs.pipe_file(path, b"x")
    with pytest.raises(DataError, match="cannot be told"):
        store.ids()
    assert objects.COMMIT == "commit.json"
