"""One writer per trial: who holds it, when it is taken over, and that a writer taken for dead cannot commit."""

from __future__ import annotations

import os
import time

import pytest

from harness.store.files import claims, processes
from harness.store.store import Store, Superseded, Taken
from tests.campaigns.toy import in_child, record


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def claims_of(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "claims").glob("*"))


def elsewhere(store: Store, claim: str, **owner: object) -> None:
    """Give a claim another owner."""
    path = store.root / "claims" / claim
    body = claims.opened(path.read_bytes(), path)
    path.write_bytes(claims.seal({**body, **owner}))


def test_a_trial_is_held_by_one_and_given_back(store):
    with store.claim("aaaa") as claim:
        with pytest.raises(Taken, match=f"aaaa is being computed by pid {os.getpid()} of this host"):
            store.claim("aaaa")
        with store.claim("bbbb"):
            assert len(claims_of(store)) == 2
        assert store.commit(record("aaaa"), claim.token) and not store.commit(record("aaaa"), claim.token)
    assert claims_of(store) == [] and store.done(["aaaa"]) == {"aaaa"}


def test_a_claim_is_given_back_when_the_work_fails(store):
    with pytest.raises(RuntimeError), store.claim("aaaa"):
        raise RuntimeError
    assert claims_of(store) == []


def test_the_claim_of_a_dead_process_is_taken_over_at_once(store):
    assert in_child(lambda: store.claim("aaaa") and os._exit(9)) == 9
    assert claims_of(store) == ["aaaa-000001.json"]
    with store.claim("aaaa"):
        assert claims_of(store) == ["aaaa-000001.json", "aaaa-000002.json"]
    assert claims_of(store) == [], "the dead one's is cleared as well"


@pytest.mark.parametrize("change", [{"boot": "0" * 8}, {"started": "1"}, {"pid": 2**30}])
def test_a_reused_pid_or_another_boot_is_a_dead_owner(store, change):
    store.claim("aaaa")
    elsewhere(store, "aaaa-000001.json", **change)
    assert store.claim("aaaa").number == 2


def test_an_owner_on_another_host_lives_while_it_is_heard_of(store, monkeypatch):
    store.claim("aaaa")
    elsewhere(store, "aaaa-000001.json", host="f" * 8, name="far")
    path = store.root / "claims" / "aaaa-000001.json"
    with pytest.raises(Taken, match="on far"):
        store.claim("aaaa")
    # This machine's clock does not matter, only the file system's.
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(Taken):
        store.claim("aaaa")
    past = path.stat().st_mtime - claims.GRACE_SECONDS - 1
    os.utime(path, (past, past))
    assert store.claim("aaaa").number == 2


def test_a_beat_keeps_a_claim_alive_and_stops_with_it(store, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.02)
    with store.claim("aaaa"):
        path = store.root / "claims" / "aaaa-000001.json"
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 2


def test_the_late_commit_of_a_writer_taken_for_dead_is_refused(store):
    late = store.claim("aaaa")
    elsewhere(store, "aaaa-000001.json", host="f" * 8)
    os.utime(store.root / "claims" / "aaaa-000001.json", (1, 1))
    with store.claim("aaaa") as claim:
        with pytest.raises(Superseded, match="taken for dead"):
            store.commit(record("aaaa", value=1.0), late.token)
        assert not store.done(["aaaa"])
        assert store.commit(record("aaaa", value=2.0), claim.token)
    with pytest.raises(Superseded):
        store.commit(record("aaaa", value=1.0), late.token)
    # Nor when the trial is to be measured anew, and claims are counted from one again.
    store.set_aside("aaaa")
    with store.claim("aaaa") as claim, pytest.raises(Superseded):
        assert claim.number == late.number
        store.commit(record("aaaa", value=1.0), late.token)


def test_a_takeover_just_before_the_rename_is_seen(store, monkeypatch):
    late = store.claim("aaaa", run="one")
    build = claims.check

    def slow(files, ident, token):
        build(files, ident, token)
        if not claims_of(store)[1:]:
            with monkeypatch.context() as patch:
                patch.setattr(claims, "check", build)
                store.claim("aaaa", run="one")

    monkeypatch.setattr(claims, "check", slow)
    with pytest.raises(Superseded):
        store.commit(record("aaaa"), late.token)
    assert not store.done(["aaaa"])


def test_the_same_run_takes_its_own_trial_over(store):
    store.claim("aaaa", run="one")
    with pytest.raises(Taken):
        store.claim("aaaa", run="two")
    assert store.claim("aaaa", run="one").number == 2


def test_a_damaged_claim_holds_until_it_is_old(store):
    store.claim("aaaa")
    path = store.root / "claims" / "aaaa-000001.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(Taken, match="another host"):
        store.claim("aaaa")
    os.utime(path, (1, 1))
    assert store.claim("aaaa").number == 2


def test_probe_clears_the_claims_of_the_dead_only(store):
    assert in_child(lambda: store.claim("dead") and os._exit(9)) == 9
    with store.claim("aaaa"):
        store.probe()
        assert claims_of(store) == ["aaaa-000001.json"]


def test_a_zombie_is_dead(store):
    child = os.fork()
    if not child:
        store.claim("aaaa")
        os._exit(0)
    deadline = time.monotonic() + 20
    while processes.state(child) != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    with store.claim("aaaa") as claim:
        assert claim.number == 2
    os.waitpid(child, 0)
