"""Damage: one flipped bit anywhere in a store, and files cut off at every byte. Nothing may pass for a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.errors import DataError
from harness.store.files.shards import MODEL
from harness.store.store import Store
from tests.campaigns.toy import contents, entry, record

IDS = ("aaaa", "bbbb", "cccc", "dddd")
# Nobody reads what is in these: locks, claims, and marks whose name says it all.
SILENT = (".commit.lock", "claims/", "gone/")


def prepare(root: Path) -> Store:
    """A store with everything in it: a pack, a shard, a trial taken out of the pack, a declaration, a run."""
    store = Store(root)
    store.probe()
    store.declare("one", {"name": "one"}, [entry(ident) for ident in IDS])
    for ident in IDS[:3]:
        store.commit(record(ident, queries=20), model=ident.encode() * 100)
    store.compact()
    store.set_aside("bbbb")
    for ident in ("bbbb", "dddd"):
        store.commit(record(ident, queries=20), model=ident.encode() * 100)
    store.record_run("one", {"wall_seconds": 1.5})
    return store


def read_files(store: Store) -> list[Path]:
    """The files that a reader of the study follows."""
    every = (path for path in store.root.rglob("*") if path.is_file())
    names = ((path, path.relative_to(store.root).as_posix()) for path in every)
    return sorted(path for path, name in names if not name.startswith((*SILENT, "aside/", ".")))


def noticed(store: Store, path: Path, expected: object) -> bool:
    """Whether readers tell of the damage, with the file, and give nothing but what was committed."""
    told = False
    try:
        store.runs("one")
        found = store.read("one")
        why = [trial["why"] for trial in found.missing]
        if path.name == MODEL or "models" in path.parts:  # which tables say nothing of
            why += store.damaged(IDS).values()
        told = any(path.name in text for text in why)
        for trial in found.scores[["id", "value"]].itertuples(index=False):
            if tuple(trial) not in expected:
                return False
    except DataError as error:
        told = path.name in str(error)
    return told


def scores(store: Store) -> set[tuple]:
    """Ids and values as committed."""
    return {tuple(row) for row in store.read("one").scores[["id", "value"]].itertuples(index=False)}


def flip(root: Path, number: int, seed: int = 0) -> tuple[int, int, list[str]]:
    """`number` random single-bit flips over all bytes of a store: noticed, tried, and which were not."""
    store = prepare(root)
    paths, expected = read_files(store), scores(store)
    before = contents(store)
    sizes = np.array([path.stat().st_size for path in paths])
    rng = np.random.default_rng(seed)
    # Half by bytes and half by files, so that small files are hit as well.
    picks = [int(n) for n in rng.choice(len(paths), number // 2, p=sizes / sizes.sum())]
    picks += [int(n) for n in rng.integers(len(paths), size=number - len(picks))]
    passed, faults = 0, []
    for pick in picks:
        path, bit = paths[pick], int(rng.integers(8 * sizes[pick]))
        good = path.read_bytes()
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(bad))
        if noticed(store, path, expected):
            passed += 1
        else:
            faults.append(f"bit {bit} of {path.relative_to(store.root)} went unnoticed")
        path.write_bytes(good)
    assert contents(store) == before
    return passed, number, faults


def truncate(root: Path, every: int = 1) -> tuple[int, int, list[str]]:
    """All records that are JSON, cut off at every byte: noticed, tried, and which were not."""
    store = prepare(root)
    expected, passed, cases, faults = scores(store), 0, 0, []
    for path in (path for path in read_files(store) if path.suffix == ".json"):
        good = path.read_bytes()
        for length in range(0, len(good), every):
            if length == 0 and path.parent.parent.name == "runs":
                continue  # release 0.1 left empty files there to reserve a number, so they are passed over
            path.write_bytes(good[:length])
            cases += 1
            if noticed(store, path, expected):
                passed += 1
            else:
                faults.append(f"{path.relative_to(store.root)} cut at {length} went unnoticed")
        path.write_bytes(good)
    return passed, cases, faults
