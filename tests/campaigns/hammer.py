"""Eight writers on one store, some killed, beside a compaction and a reader: no trial lost, none doubled."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import numpy as np

from harness.store.store import Store, Taken
from tests.campaigns.toy import entry, fork, record


def name(writer: int, number: int) -> str:
    """Id of a trial."""
    return f"{writer:x}{number:05x}"


def write(root: Path, me: int, writers: int, each: int, seed: int) -> int:
    """Commit this writer's trials, and try those of the next one too; its own number is in every row."""
    store, mine = Store(root), [name(writer % writers, n) for writer in (me, me + 1) for n in range(each)]
    np.random.default_rng(seed).shuffle(mine)
    for ident in mine:
        with contextlib.suppress(Taken):
            claim = store.claim(ident)
            if not store.done([ident]):
                store.commit(record(ident, value=float(me), seed=me), claim.token)
            claim.release()
    return 0


def campaign(root: Path, writers: int = 8, each: int = 500, kills: int = 12) -> tuple[int, int, list[str]]:
    """Trials that are there exactly once with one writer's numbers, trials, and what went wrong."""
    store = Store(root)
    store.probe()
    ids = [name(writer, n) for writer in range(writers) for n in range(each)]
    store.declare("one", {}, [entry(ident) for ident in ids])
    rng, faults = np.random.default_rng(0), []

    def start(me: int) -> int:
        seed = int(rng.integers(2**31))
        return fork(lambda: write(root, me, writers, each, seed))

    def look() -> int:
        while True:
            began = time.monotonic()
            before = Store(root).ids()
            found = Store(root).read("one", ("trials", "scores"))
            seen = found.trials["id"].tolist()
            if len(set(seen)) != len(seen) or not before <= set(seen) or len(found.scores) != len(seen):
                return 1
            if any(trial["why"] != "not run" for trial in found.missing):
                return 2
            # As long as it took, so that on few cores the writers have their share.
            time.sleep(time.monotonic() - began)

    def squeeze() -> int:
        while True:
            began = time.monotonic()
            Store(root).compact()
            time.sleep(max(0.1, time.monotonic() - began))

    children = {start(me): me for me in range(writers)}
    reader, compactor = fork(look), fork(squeeze)
    killed, deadline = 0, time.monotonic() + 1800
    while children and time.monotonic() < deadline:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in children:
            me, code = children.pop(pid), os.waitstatus_to_exitcode(status)
            if code == -signal.SIGKILL:
                children[start(me)] = me
            elif code:
                faults.append(f"writer {me} ended with {code}")
        elif pid in (reader, compactor):
            faults.append(f"{'reader' if pid == reader else 'compaction'}: {os.waitstatus_to_exitcode(status)}")
        elif not pid:
            time.sleep(0.05)
            if killed < kills and rng.random() < 0.1:
                os.kill(list(children)[int(rng.integers(len(children)))], signal.SIGKILL)
                killed += 1
    for pid in (reader, compactor):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    store.probe()
    store.compact()
    found = store.read("one")
    faults += [f"{trial['id']}: {trial['why']}" for trial in found.missing]
    rows = found.trials["id"].tolist()
    values = found.scores.groupby("id")["value"].agg(["size", "first"])
    seeds = dict(zip(rows, found.trials["seed"].tolist(), strict=True))
    passed = 0
    for ident in set(rows):
        if rows.count(ident) == 1 and values["size"][ident] == 1 and values["first"][ident] == seeds[ident]:
            passed += 1
        else:
            faults.append(f"{ident} is there {rows.count(ident)} times")
    if left := [path for path in root.rglob(".tmp-*")] + [path for path in (root / "claims").glob("*")]:
        faults.append(f"left: {left[:3]}")
    return passed, len(ids), faults
