"""Kept models in a store: whole with their rows, every byte checked, wherever a trial is moved."""

from __future__ import annotations

import pytest

from harness.cli import main
from harness.errors import DataError
from harness.store.files import models, shards
from harness.store.store import Store
from tests.campaigns.toy import entry, record

IDS = ("aaaa", "bbbb", "cccc")
BLOBS = {"aaaa": b"model of aaaa" * 50, "bbbb": b"model of bbbb" * 70}


def fill(store: Store) -> Store:
    """Three trials, the last one without a model."""
    for ident in IDS:
        store.commit(record(ident, commit="c0ffee", dirty=False, trained=5), model=BLOBS.get(ident))
    store.declare("one", {}, [entry(ident) for ident in IDS])
    return store


@pytest.fixture
def store(tmp_path) -> Store:
    return fill(Store(tmp_path / "store"))


@pytest.fixture(params=["folder", "memory"])
def anywhere(request, tmp_path) -> Store:
    """On a file system, and behind a URL."""
    name = "".join(c for c in request.node.name if c.isalnum())
    return fill(Store(tmp_path / "store" if request.param == "folder" else f"memory://{name}/prefix"))


def kept(store: Store) -> dict[str, bytes | None]:
    return {ident: store.model(ident) for ident in IDS}


ALL = {**BLOBS, "cccc": None}


def test_a_model_is_kept_with_its_row_and_once(anywhere):
    assert kept(anywhere) == ALL
    assert anywhere.models(IDS) == {ident: len(blob) for ident, blob in BLOBS.items()} and not anywhere.damaged(IDS)
    assert not anywhere.commit(record("cccc"), model=b"late") and not anywhere.commit(record("aaaa"), model=b"late")
    assert kept(anywhere) == ALL
    assert anywhere.models(list(IDS) * 20) == anywhere.models(IDS)  # by listing


def test_packed_trials_have_their_models(anywhere):
    done = anywhere.compact()
    assert done.trials == 3 and kept(anywhere) == ALL and not anywhere.damaged(IDS)
    assert anywhere.models(list(IDS) * 20) == {ident: len(blob) for ident, blob in BLOBS.items()}
    anywhere.commit(record("dddd"), model=b"four")
    anywhere.compact()  # the pack is written anew
    assert kept(anywhere) == ALL and anywhere.model("dddd") == b"four" and not anywhere.damaged([*IDS, "dddd"])


@pytest.mark.parametrize("packed", [False, True])
def test_every_flipped_byte_and_a_missing_file_are_said(store, packed):
    if packed:
        store.compact()
    path = store.root / ("models" if packed else "trials") / "aaaa" / shards.MODEL
    good = path.read_bytes()
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        with pytest.raises(DataError, match=r"model\.safetensors: damaged: its SHA-256"):
            store.model("aaaa")
    assert list(store.damaged(IDS)) == ["aaaa"] and shards.MODEL in store.damaged(IDS)["aaaa"]
    assert store.model("bbbb") == BLOBS["bbbb"] and not store.read("one").missing, "rows and others are as they were"
    path.unlink()
    assert list(store.damaged(IDS)) == ["aaaa"]
    with pytest.raises(DataError, match=r"model\.safetensors: cannot be read"):
        store.model("aaaa")
    if packed:
        store.files.remove_shard("models/aaaa")
        assert "the kept model is not there" in store.damaged(IDS)["aaaa"] and list(store.models(IDS)) == ["bbbb"]
        with pytest.raises(DataError, match="is not there"):
            store.model("aaaa")


def test_in_a_bucket_a_missing_or_cut_model_is_said_without_reading_it(monkeypatch):
    store = fill(Store("memory://lost/prefix"))
    path = next(p for p in store.files._found("trials/aaaa") if p.endswith(shards.MODEL))
    read = store.files.read
    monkeypatch.setattr(store.files, "read", lambda p: read(p) if not p.endswith(shards.MODEL) else pytest.fail(p))
    assert not store.damaged(IDS)
    store.files._fs.pipe_file(path, b"short")
    assert "5 bytes where 650 were committed" in store.damaged(IDS)["aaaa"]
    store.files._fs.rm_file(path)
    assert "cannot be read" in store.damaged(IDS)["aaaa"]


def test_a_damaged_model_stays_where_it_is_when_others_are_packed(store):
    path = store.root / "trials" / "aaaa" / shards.MODEL
    path.write_bytes(b"other")
    assert list(store.compact().damaged) == ["aaaa"] and path.is_file() and store.done(IDS) == set(IDS)
    assert store.model("bbbb") == BLOBS["bbbb"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_trial_goes_aside_with_its_model_and_comes_back_with_another(store, packed):
    if packed:
        store.compact()
    store.set_aside("aaaa")
    found = [path.read_bytes() for path in (store.root / "aside").rglob(shards.MODEL)]
    assert found == [BLOBS["aaaa"]] and not store.models(["aaaa"]) and store.model("bbbb") == BLOBS["bbbb"]
    store.commit(record("aaaa"), model=b"again")
    store.compact()
    assert store.model("aaaa") == b"again" and not store.damaged(IDS)
    store.set_aside("aaaa")
    store.commit(record("aaaa"))
    store.compact()
    assert store.model("aaaa") is None


def test_what_lies_at_a_models_place_from_before_is_replaced(store):
    models.place(store.files, "aaaa", b"of an earlier trial")
    damaged = store.root / "models" / "bbbb"
    models.place(store.files, "bbbb", BLOBS["bbbb"])
    (damaged / shards.MODEL).write_bytes(b"damaged")
    assert kept(store) == ALL, "a shard has its own"
    store.compact()
    assert kept(store) == ALL and not store.damaged(IDS)


def test_merging_takes_models_along(store, tmp_path):
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    assert set(one.take_all(store, IDS).values()) == {"added"} and kept(one) == ALL
    store.compact()
    assert set(two.take_all(store, IDS).values()) == {"added"} and kept(two) == ALL
    assert set(two.take_all(one, IDS).values()) == {"same"} and kept(two) == ALL
    (store.root / "models" / "aaaa" / shards.MODEL).write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"model\.safetensors"):
        Store(tmp_path / "three").take_all(store, IDS)


def test_publishing_leaves_models_out_until_they_are_asked_for(store, tmp_path, capsys):
    def publish(*more: str) -> str:
        to = ["--store", str(store.root), "--to", str(tmp_path / "out")]
        assert main.call(["publish", "one", *to, *more]) == 0
        return capsys.readouterr().out

    assert "no models" in publish() and not list((tmp_path / "out").rglob(f"*{shards.MODEL}"))
    out = Store(tmp_path / "out")
    assert not out.models(IDS) and not out.damaged(IDS)
    assert "0 trials copied" in (said := publish("--models")) and "2 models" in said
    assert kept(out) == ALL and not out.damaged(IDS)
    assert '"models": 2' in publish("--models", "--json")
    fresh = Store(tmp_path / "fresh")
    fresh.take_all(out, IDS)
    assert kept(fresh) == ALL, "also those that came later"


def test_status_counts_models_and_those_without(store, capsys):
    assert main.call(["status", "one", "--store", str(store.root)]) == 0
    assert "2 models kept, 0.0 MB; 1 trials have none" in capsys.readouterr().out
