"""The forty faults again, with what answers them taken out of the code: each such change must be noticed by a test.

`PLANTED` names the changes, and for each the test that has to fail, one of those that `tests/test_forty_faults.py`
lists for the fault. They run in a copy of the tree, each in a fork of one warmed process, so that importing torch is
paid once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.campaigns.planted import PLANTED
from tests.campaigns.toy import fork
from tests.test_forty_faults import FAULTS

ROOT = Path(__file__).parents[2]
ROOMS = ("harness", "methods", "reports", "studies", "tests")
ALSO = ("pyproject.toml", "docs")  # what tests and pytest read
WARM = ("torch", "open_clip", "pandas", "pyarrow.parquet", "pydantic", "PIL.Image", "pytest", "ruamel.yaml", "filelock")
WARM += ("scipy.stats", "sklearn.manifold", "matplotlib.figure", "matplotlib.backends.backend_agg")
SECONDS = 120.0  # for the tests of one change
NOTICED = 1  # pytest's exit code when tests failed; others mean that they could not be run


def campaign(folder: Path, faults: Sequence[int] = ()) -> tuple[int, int, list[str]]:
    """Changes that a test noticed, changes, and which were not noticed; only those of `faults`, if given."""
    rows = [(n, test, *change) for n in faults or PLANTED for test, all_ in PLANTED[n].items() for change in all_]
    for name in WARM:
        importlib.import_module(name)
    tree, passed, missed = folder / "tree", 0, stale()
    tree.mkdir()
    for name in (*ROOMS, *ALSO):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tree / name)
    nodes = list(dict.fromkeys(node(number, test) for number, test, *_ in rows))
    if code := run(tree, nodes, folder, len(nodes) * SECONDS, compiled=True):
        return 0, len(rows), [*missed, f"the tests do not pass as it is ({code}): {last(folder)}"]
    for number, test, file, old, new in rows:
        with planted(tree / file, old, new):
            code = run(tree, [node(number, test)], folder, SECONDS)
        if code == NOTICED:
            passed += 1
        else:
            how = "not noticed" if code == 0 else f"ended with {code}: {last(folder)}"
            missed.append(f"{number}, {FAULTS[number][0]}: {file}: {old!r} -> {new!r} is {how} ({test})")
    return passed, len(rows), missed


def stale() -> list[str]:
    """Changes whose text does not stand in its file, or more than once."""
    rows = [(n, *change) for n, by in PLANTED.items() for all_ in by.values() for change in all_]
    count = {(file, old): (ROOT / file).read_text(encoding="utf-8").count(old) for _, file, old, _ in rows}
    return [f"{n}: {file} has {old!r} {count[file, old]} times" for n, file, old, _ in rows if count[file, old] != 1]


def node(number: int, test: str) -> str:
    """A test as pytest names it."""
    listed = {name: file for file, names in FAULTS[number][1].items() for name in names}
    return f"tests/{listed[test.partition('[')[0]]}::{test}"


@contextlib.contextmanager
def planted(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with a text replaced, and as it was afterwards, to its time of change: compiled code goes by that."""
    good, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(good.replace(old.encode(), new.encode()))
    try:
        yield
    finally:
        path.write_bytes(good)
        os.utime(path, ns=times)


def run(tree: Path, nodes: Sequence[str], folder: Path, seconds: float, compiled: bool = False) -> int:
    """Exit code of pytest on tests of a tree, in a process group of its own; negative when it was killed.

    Args:
        tree: A copy of the project.
        nodes: Tests.
        folder: For the log, and for what tests write.
        seconds: Until all of it is killed.
        compiled: Whether compiled code is kept, which is right only for a tree as it is.
    """

    def tests() -> int:
        os.setsid()
        os.chdir(tree)
        log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # The tree's modules and none of those that are imported here, also in the processes that tests start.
        for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
            del sys.modules[name]
        sys.path.insert(0, str(tree))
        sys.dont_write_bytecode = not compiled
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "" if compiled else "1"}
        importlib.invalidate_caches()
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}", f"--timeout={SECONDS / 2}"]
        return pytest.main([*options, *nodes])

    child, deadline = fork(tests), time.monotonic() + seconds
    try:
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what tests that were cut off have left running
    return os.waitstatus_to_exitcode(ended[1])


def last(folder: Path) -> str:
    """The last line that pytest said."""
    return ((folder / "log").read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
