"""Faults of kinds that tests once did not see, planted one by one: each must be caught by the test named for it.

Each `planted_*.py` beside this file lists some as `PLANTED`: (kind, test, file, old text, new text). They run as those
of `forty.py` do, in a copy of the tree.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from tests.campaigns.forty import NOTICED, ROOT, SECONDS, last, planted, run
from tests.campaigns.identities import copied

Fault = tuple[str, str, str, str, str]


def faults() -> list[Fault]:
    """All that are listed."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("planted_*.py"))
    return [row for name in names for row in importlib.import_module(f"tests.campaigns.{name}").PLANTED]


def stale(rows: Sequence[Fault]) -> list[str]:
    """Faults whose text does not stand in its file once, or whose test's file is not there."""
    found = [
        f"{kind}: {file} has {old!r} {count} times"
        for kind, _, file, old, _ in rows
        if (count := (ROOT / file).read_text(encoding="utf-8").count(old)) != 1
    ]
    return found + [f"{kind}: no {test}" for kind, test, *_ in rows if not (ROOT / test.partition("::")[0]).is_file()]


def campaign(folder: Path, rows: Sequence[Fault] = ()) -> tuple[int, int, list[str]]:
    """Faults that their test noticed, faults, and which were not noticed."""
    rows = rows or faults()
    tree, passed, missed = copied(folder), 0, stale(rows)
    nodes = list(dict.fromkeys(test for _, test, *_ in rows))
    if code := run(tree, nodes, folder, len(nodes) * SECONDS, compiled=True):
        return 0, len(rows), [*missed, f"the tests do not pass as it is ({code}): {last(folder)}"]
    for kind, test, file, old, new in rows:
        with planted(tree / file, old, new):
            code = run(tree, [test], folder, SECONDS)
        if code == NOTICED:
            passed += 1
        else:
            how = "not noticed" if code == 0 else f"ended with {code}: {last(folder)}"
            missed.append(f"{kind}: {file}: {old!r} -> {new!r} is {how} ({test})")
    return passed, len(rows), missed
