"""A change of meaning in any module that decides a trial's numbers: the study must be asked to run again.

For every module that `harness.trial.identity` finds for a trial of UP-Person, one number, comparison or result in its
code is changed, in a copy of the tree, in turn; a fork of one warmed process then lays the study out against a store in
which it was complete.

And the reverse for every module that is left out: code of it is broken, and a toy trial's numbers stay as they are.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.campaigns.forty import ALSO, ROOMS, ROOT, WARM
from tests.campaigns.toy import fork

STUDY = """\
name: identity
question: Is a change of the code noticed?
backbone: {name: tiny}
datasets: [{synth_cuhk: {size: tiny}}]
methods: [up_person]
recipe: {name: short, epochs: 1, losses: [sdm, id]}
threads: 1
"""
TRIES = 3  # breakages of each module that is left out
RERUN, SAME, UNPLANNED = 10, 11, 12  # exit codes of a child: all trials are to run again; none; it could not be planned


def campaign(folder: Path) -> tuple[int, int, list[str]]:
    """Modules whose change was noticed, modules, and which were not noticed."""
    tree, store, data = copied(folder), folder / "store", folder / "data"
    (folder / "identity.yaml").write_text(STUDY)
    if code := child(tree, lambda: complete(folder / "identity.yaml", store, data)):
        return 0, 1, [f"the study does not run as it is ({code})"]
    files = json.loads((folder / "files.json").read_text())
    passed, missed = 0, []
    code = child(tree, lambda: ask(folder / "identity.yaml", store, data))
    if code != SAME:
        return 0, len(files), [f"the study is asked to run again without a change ({code})"]
    for file in files:
        text, code = (tree / file).read_text(encoding="utf-8"), UNPLANNED
        for other in changes(text):  # a study that cannot even be planned shows no number, and proves nothing
            (tree / file).write_text(other, encoding="utf-8")
            if (code := child(tree, lambda: ask(folder / "identity.yaml", store, data))) != UNPLANNED:
                break
        (tree / file).write_text(text, encoding="utf-8")
        if code == RERUN:
            passed += 1
        else:
            missed.append(f"a change of {file} is not noticed ({code})")
    return passed, len(files), missed


def copied(folder: Path) -> Path:
    """A copy of the tree, and third-party modules loaded once for all children."""
    for name in WARM:
        importlib.import_module(name)
    tree = folder / "tree"
    tree.mkdir()
    for name in (*ROOMS, *ALSO, "upbench.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tree / name)
    return tree


def child(tree: Path, work: Callable[[], int]) -> int:
    """Exit code of `work` in a fork that imports the project from `tree`."""

    def within() -> int:
        os.chdir(tree)
        for name in [name for name in sys.modules if name.partition(".")[0] in (*ROOMS, "upbench")]:
            if not name.startswith("tests"):
                del sys.modules[name]
        sys.path.insert(0, str(tree))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        if not os.environ.get("CAMPAIGN_TRACE"):
            os.dup2(quiet, 2)
        return work()

    return os.waitstatus_to_exitcode(os.waitpid(fork(within), 0)[1])


def complete(study: Path, store: Path, data: Path) -> int:
    """Run the study, and write down the files that decide its trials."""
    from harness.cli import main
    from harness.trial import identity

    code = main.call(["run", str(study), "--executor", "serial", "--store", str(store), "--data", str(data)])
    found = identity.files("up_person", (), ("synth_cuhk",), ("sdm", "id"))
    names = sorted(path.relative_to(Path.cwd()).as_posix() for path in found)
    (store.parent / "files.json").write_text(json.dumps(names))
    return code


def ask(study: Path, store: Path, data: Path) -> int:
    """Lay the study out as `upbench run` does: how many of its trials are committed?"""
    try:
        from harness.api import asking
        from harness.store.store import Store

        laid = asking.lay_out(asking.load(str(study), {}), str(data), Store(store))
        done = Store(store).done(trial["id"] for trial in laid.trials)
    except BaseException:
        return UNPLANNED
    return SAME if len(done) == len(laid.trials) else RERUN


def changes(text: str) -> Iterator[str]:
    """A text with one change of meaning in each of its functions in turn, the last first: a number, a comparison, or a
    result; where it has none, with one more name.
    """
    lines = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for line in sorted(lines, reverse=True):
        tree = ast.parse(text)
        (function,) = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno == line)
        if any(_alter(node) for node in ast.walk(function)):
            yield ast.unparse(tree)
    yield text + "\n\nCHANGED = 1\n"


def _alter(node: ast.AST) -> bool:
    """Change a node, if it is one that can be changed."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        node.value += 1
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.Gt):
        node.ops[0] = ast.GtE() if isinstance(node.ops[0], ast.Lt) else ast.LtE()
    elif isinstance(node, ast.Return) and node.value is not None:
        nothing = isinstance(node.value, ast.Constant) and node.value.value is None
        node.value = ast.Constant(0 if nothing else None)
    else:
        return False
    return True


def harmless(folder: Path) -> tuple[int, int, list[str]]:
    """Modules that are left out and whose breaking changes no number of a toy trial, such modules, and those that fail.

    Each is broken in up to `TRIES` functions. A trial that then gives no row shows no wrong number; at least one of the
    breakages must leave the row, and no one may change it.
    """
    tree, data = copied(folder), folder / "data"
    (folder / "identity.yaml").write_text(STUDY)
    rows = folder / "rows.json"

    def row() -> str | None:
        rows.unlink(missing_ok=True)
        shutil.rmtree(folder / "store", ignore_errors=True)
        child(tree, lambda: numbers(folder / "identity.yaml", folder / "store", data, rows))
        return rows.read_text() if rows.is_file() else None

    good = row()
    if good is None or good != row():
        return 0, 1, ["the toy trial gives no row, or another one each time"]
    passed, missed, files = 0, [], exempt(tree)
    for file in files:
        text, seen = (tree / file).read_text(encoding="utf-8"), []
        for broken in itertools.islice(changes(text), TRIES):
            (tree / file).write_text(broken, encoding="utf-8")
            seen.append(row())
        (tree / file).write_text(text, encoding="utf-8")
        if any(found not in (None, good) for found in seen):
            missed.append(f"breaking {file} changes a number: it must count in a trial's identity")
        elif good not in seen:
            missed.append(f"every breakage of {file} leaves no row: nothing is shown")
        else:
            passed += 1
    return passed, len(files), missed


def exempt(tree: Path) -> list[str]:
    """Files that a trial reaches and whose code is left out of its identity."""
    from harness import meaning
    from harness.trial import identity

    start = meaning.file_of(identity.START)
    assert start is not None
    found = meaning.reached([start]) - identity.files("up_person", (), ("synth_cuhk",), ("sdm", "id"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found if path.name != "__init__.py")


def numbers(study: Path, store: Path, data: Path, rows: Path) -> int:
    """Run the study's one trial and keep the numbers that it hands to the store, without times and memory."""
    from harness.cli import main
    from harness.store.store import Record, Store

    commit = Store.commit

    def kept(self: Store, record: Record, *given: Any, **named: Any) -> bool:
        trial = {k: record.trial[k] for k in ("status", "trained", "total", "chosen_epoch", "steps", "truncated")}
        trial |= {k: record.trial[k] for k in ("flops_forward", "flops_backward", "adapter_bytes")}
        history = [{k: v for k, v in line.items() if k != "seconds"} for line in record.history]
        rows.write_text(json.dumps([trial, record.scores, history, record.queries], default=str, sort_keys=True))
        return commit(self, record, *given, **named)

    Store.commit = kept  # type: ignore[method-assign]
    return main.call(["run", str(study), "--executor", "serial", "--store", str(store), "--data", str(data)])
