"""A disk that fills up while a store is written to, and gets room again."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import EnvironmentFault
from harness.store.store import Store
from tests.campaigns.toy import contents, entry, in_child, record


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """A file system of so many kilobytes at `folder`; False where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def campaign(folder: Path, kilobytes: int = 2000, trials: int = 200) -> tuple[int, int, list[str]]:
    """Commit until the disk is full, at a different byte each time; old results stay, and it goes on with more room."""
    passed, cases, faults = 0, 0, []
    for ballast in range(0, 64, 8):
        with small_disk(folder / "disk", kilobytes) as mounted:
            if not mounted:
                return _limited(folder, trials)
            cases += 1
            try:
                _fill(folder / "disk", ballast, trials)
                passed += 1
            except AssertionError as error:
                faults.append(f"ballast {ballast} kB: {error}")
    return passed, cases, faults


def _fill(disk: Path, ballast: int, trials: int) -> None:
    filler = disk / "ballast"
    filler.write_bytes(b"x" * 1024 * (500 + ballast))
    store = Store(disk / "store")
    store.probe()
    ids = [f"{number:04x}" for number in range(trials)]
    store.declare("one", {}, [entry(ident) for ident in ids])
    committed = []
    told = ""
    for ident in ids:
        try:
            store.commit(record(ident, queries=200))
            committed.append(ident)
        except EnvironmentFault as error:
            told = str(error)
            break
    assert committed and "No space left" in told and "kept: " in told, f"told: {told!r}"
    _intact(store, committed)
    for work in (store.compact, lambda: store.declare("two", {}, [entry(ident) for ident in ids])):
        try:
            work()
        except EnvironmentFault as error:
            told = str(error)
        _intact(store, committed)
    filler.unlink()
    store.commit(record(ids[len(committed)], queries=200))
    store.compact()
    _intact(store, [*committed, ids[len(committed)]])


def _intact(store: Store, committed: list[str]) -> None:
    assert store.ids() == set(committed), "other trials than those committed"
    assert not store.damaged(committed), "a committed trial is damaged"
    assert not list(store.root.rglob(".tmp-*")), "a writer that lives leaves something behind"


def _limited(folder: Path, trials: int) -> tuple[int, int, list[str]]:
    """Where no file system can be mounted: no file may grow beyond a limit."""
    store = Store(folder / "limited")
    store.probe()
    store.commit(record("aaaa"))
    store.declare("one", {}, [entry("aaaa")])
    before, passed, faults = contents(store), 0, []
    for limit in range(0, 8000, 1000):

        def work(limit: int = limit) -> int:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                Store(folder / "limited").commit(record(f"b{limit:04d}", queries=2000))
            except EnvironmentFault as error:
                return 0 if "File too large" in str(error) and "kept: all results" in str(error) else 1
            return 2

        code = in_child(work)
        left = list(store.root.rglob(".tmp-*"))
        if code == 0 and not left and contents(store) == before and store.ids() == {"aaaa"}:
            passed += 1
        else:
            faults.append(f"limit {limit}: ended with {code}, left {left}")
    return passed, 8, faults
