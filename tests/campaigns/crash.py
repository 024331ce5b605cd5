"""Every operation on files of every step of a store fails in turn, in every way; what must hold is then checked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from harness.errors import UserError
from harness.store.files import local
from harness.store.store import Store
from tests.campaigns.toy import contents, entry, fork, in_child, record

OPERATIONS = ("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir")
# Killed before an operation is killed after the one before it; what is left is the last one, see `campaign`.
KILLS = ("killed", "torn")
PARTIAL = ("torn", "short", "half, then ENOSPC")  # of a write
WAYS = ("killed", "ENOSPC", "EIO", *PARTIAL)
OLD, NEW = ("aaaa", "bbbb", "cccc"), "dddd"
TOLD = 3


def _commit(store: Store, ident: str, value: float) -> None:
    claim = store.claim(ident)
    if not store.done([ident]):
        store.commit(record(ident, value=value), claim.token, model=b"model of " + ident.encode())
    claim.release()


def run(root: Path) -> None:
    """Declare, claim, commit, record a run."""
    store = Store(root / "a")
    store.probe()
    store.declare("one", {}, [entry(ident) for ident in (*OLD, NEW)])
    _commit(store, NEW, 4.0)
    if not store.runs("one"):
        store.record_run("one", {"wall_seconds": 1.0})


def compact(root: Path) -> None:
    """Shards into a pack, and packs into one."""
    Store(root / "a").compact()
    _commit(Store(root / "a"), NEW, 4.0)
    Store(root / "a").compact()


def redo(root: Path) -> None:
    """Take two trials out of use, one of a pack, and measure them again."""
    store = Store(root / "a")
    for ident in ("aaaa", "cccc"):
        if store.done([ident]):
            store.set_aside(ident)
        _commit(store, ident, 1.0 if ident == "aaaa" else 3.0)
    _commit(store, NEW, 4.0)


def merge(root: Path) -> None:
    """Take everything over into a new store."""
    one, two = Store(root / "a"), Store(root / "b")
    two.take_all(one, sorted(one.ids()))
    two.take_study(one, "one")
    two.take_runs(one, "one")


def publish(root: Path) -> None:
    """Write everything packed into a new store."""
    one, two = Store(root / "a"), Store(root / "b")
    two.take_all(one, sorted(one.ids()), "selected", packed=True)
    two.take_study(one, "one")
    two.state_published("one", {"queries": "selected"})


STEPS: dict[str, Callable[[Path], None]] = {
    "run": run,
    "compact": compact,
    "set aside": redo,
    "merge": merge,
    "publish": publish,
}


def prepare(root: Path, step: str) -> None:
    """The store before a step."""
    store = Store(root / "a")
    store.probe()
    for number, ident in enumerate(OLD):
        store.commit(record(ident, value=1.0 + number), model=b"model of " + ident.encode())
    if step != "run":
        store.declare("one", {}, [entry(ident) for ident in (*OLD, NEW)])
    if step in ("set aside", "merge", "publish"):
        store.set_aside("aaaa")
        store.compact()
        store.commit(record("aaaa", value=1.0), model=b"model of aaaa")
    if step in ("merge", "publish"):
        _commit(store, NEW, 4.0)
        store.record_run("one", {"wall_seconds": 1.0})


def attempt(work: Callable[[Path], None], root: Path, at: int, way: str, counted: Path | None = None) -> int:
    """Do `work` in this process while its `at`-th operation on files goes wrong; 0, or `TOLD` of an error."""
    count, seen = 0, []

    def wrap(name: str, function: Callable) -> Callable:
        def call(*args, **kwargs):
            nonlocal count
            if way in PARTIAL and name != "write":
                return function(*args, **kwargs)
            count += 1
            seen.append(name)
            if count != at:
                return function(*args, **kwargs)
            if way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if way in PARTIAL:
                written = function(args[0], bytes(args[1])[: max(1, len(args[1]) // 2)])
                if way == "short":
                    return written
                if way == "torn":
                    os.kill(os.getpid(), signal.SIGKILL)
            number = getattr(errno, way, errno.ENOSPC)
            raise OSError(number, os.strerror(number))

        return call

    for name in OPERATIONS:
        setattr(os, name, wrap(name, getattr(os, name)))
    local.Local.read = wrap("read", local.Local.read)
    try:
        work(root)
        if way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    except (OSError, UserError):
        return TOLD
    if counted:
        counted.write_text(" ".join(seen))
    return 0


def whole(root: Path) -> dict[str, object]:
    """All that the steps leave behind, in one value."""
    stores = {name: Store(root / name) for name in ("a", "b") if (root / name / "studies").is_dir()}
    models = {name: [(ident, store.model(ident)) for ident in sorted(store.ids())] for name, store in stores.items()}
    return {name: [contents(store), models[name]] for name, store in stores.items()}


def check(root: Path, before: set[str], step: str) -> None:
    """What must hold right after a fault."""
    store = Store(root / "a")
    done = store.done([*OLD, NEW])
    lost = before - done
    # While a trial is measured anew it may be absent, and only then.
    assert not lost or (step == "set aside" and len(lost) == 1 and lost <= {"aaaa", "cccc"}), f"lost {lost}"
    assert not store.damaged(done)
    for name in ("a", "b"):
        some = Store(root / name)
        for study in some.studies():
            found = some.read(study)
            ids = found.trials["id"].tolist()
            assert len(ids) == len(set(ids)) and set(ids) == some.done([*OLD, NEW])
            assert all(some.model(ident) == b"model of " + ident.encode() for ident in ids), "another model, or none"
            assert len(found.scores) == len(found.history) == len(ids) and len(found.queries) == 2 * len(ids)
            for _, ident, value in found.scores[["id", "value"]].itertuples():
                assert value == float(1 + "abcd".index(ident[0])), "another trial's numbers"
            some.runs(study)


def one(folder: Path, root: Path, step: str, way: str, at: int, before: set[str], expected: dict) -> str | None:
    """One fault, in a copy of the store at `root`, and the same step again; what did not hold, or None."""
    shutil.copytree(folder / step, root)
    try:
        code = in_child(lambda: attempt(STEPS[step], root, at, way))
        assert code in (0, TOLD) or (code == -signal.SIGKILL and way in KILLS), f"ended with {code}"
        if way == "short":
            assert code == 0, "a short write is no error"
        check(root, before, step)
        assert in_child(lambda: attempt(STEPS[step], root, 0, "")) == 0, "not resumed"
        assert whole(root) == expected, "another result after resuming"
        for name in ("a", "b"):
            if (root / name).is_dir():
                Store(root / name).probe()
        assert not list(root.rglob(".tmp-*")), "leftovers"
    except (AssertionError, UserError) as error:
        return f"{step}, operation {at}, {way}: {str(error).splitlines()[0] if str(error) else 'assertion'}"
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return None


def campaign(
    folder: Path, steps=tuple(STEPS), ways=WAYS, every: int = 1, start: int = 1, workers: int | None = None
) -> tuple[int, int, list[str]]:
    """Cases that came through, cases, and what went wrong.

    `every` n-th operation only, from `start` on; `workers` side by side, as many as there are cores where not told.
    """
    workers = workers or os.cpu_count() or 1
    cases, known = [], {}
    for step in steps:
        prepare(folder / step, step)
        plain, count = folder / f"{step} plain", folder / "count"
        shutil.copytree(folder / step, plain)
        assert in_child(lambda step=step, plain=plain, count=count: attempt(STEPS[step], plain, 0, "", count)) == 0
        names = count.read_text().split()
        known[step] = (Store(folder / step / "a").done([*OLD, NEW]), whole(plain))
        for way in ways:
            # The n-th write of all, where only writes can go wrong so; a kill may also come after the last operation.
            total = names.count("write") if way in PARTIAL else len(names) + (way == "killed")
            cases += [(step, way, at) for at in range(min(start, total), total + 1, every)]

    def work(me: int) -> int:
        faults = [one(folder, folder / f"case {me}", *case, *known[case[0]]) for case in cases[me::workers]]
        (folder / f"faults {me}").write_text(json.dumps([fault for fault in faults if fault]))
        return 0

    children = {me: fork(lambda me=me: work(me)) for me in range(workers)}
    faults = []
    for me, child in children.items():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        lost = [f"worker {me} ended with {code}"] * len(cases[me::workers])
        faults += lost if code else json.loads((folder / f"faults {me}").read_text())
    return len(cases) - len(faults), len(cases), faults
