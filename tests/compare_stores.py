"""Are two stores equal in all that does not depend on when and where they were made?

`python -P tests/compare_stores.py ONE OTHER`; -P, because the folder `tests/harness` would hide the package.

What a clock, the machine or the past of a run decides is listed here; every other column must be equal to the bit, row
by row, and every trial must be there once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from harness.store.store import TABLES, Store

# Columns by table, as patterns of the whole name.
CLOCK = {
    "trials": (r"seconds_\w+", r"step_seconds", r"latency_\w+_ms", r"energy_joules", r"started"),
    "history": (r"seconds",),
}
HOST = {"trials": (r"peak_memory_\w+", r"hardware", r"commit", r"dirty", r"versions", r"release")}
PAST = {"trials": (r"resumes", r"features_cached")}


def free(table: str, column: str) -> bool:
    """Whether a column may differ between two runs of the same trial."""
    return any(re.fullmatch(pattern, column) for of in (CLOCK, HOST, PAST) for pattern in of.get(table, ()))


def contents(root: str | Path) -> dict[str, pd.DataFrame]:
    """The tables of all committed trials in the order of their ids, without the columns that are free."""
    store = Store(root)
    ids = sorted(store.ids())
    if damaged := store.damaged(ids):
        raise AssertionError(f"{root}: {damaged}")
    found = store.measured(ids, TABLES)
    return {name: table[[c for c in table if not free(name, c)]] for name, table in found.items()}


def differences(one: str | Path, other: str | Path) -> list[str]:
    """What differs, a line for each table and column; empty for equal stores."""
    ours, theirs = contents(one), contents(other)
    found = []
    for root, tables in ((one, ours), (other, theirs)):
        twice = tables["trials"]["id"][tables["trials"]["id"].duplicated()]
        found += [f"{root} has trial {ident} twice" for ident in twice]
    mine, yours = (set(tables["trials"]["id"]) for tables in (ours, theirs))
    found += [f"only {one} has trial {ident}" for ident in sorted(mine - yours)]
    found += [f"only {other} has trial {ident}" for ident in sorted(yours - mine)]
    if found:
        return found
    for name in TABLES:
        left, right = ours[name], theirs[name]
        if len(left) != len(right):
            found.append(f"{name}: {len(left)} and {len(right)} rows")
            continue
        for column in left:
            pairs = zip(_bits(left[column]), _bits(right[column]), strict=True)
            if rows := [i for i, (a, b) in enumerate(pairs) if a != b]:
                a, b = left[column].iloc[rows[0]], right[column].iloc[rows[0]]
                where = left["id"].iloc[rows[0]]
                found.append(f"{name}.{column}: {len(rows)} rows differ, first of trial {where}: {a!r} and {b!r}")
    return found


def _bits(column: pd.Series) -> list:
    """Values that are equal only when their bits are; a NaN equals itself."""
    if column.dtype.kind == "f":
        values = column.to_numpy()
        return values.view(f"u{values.dtype.itemsize}").tolist()
    return [None if value is None or value is pd.NA or value != value else value for value in column.tolist()]


if __name__ == "__main__":
    lines = differences(*sys.argv[1:3])
    print("\n".join(lines) or "equal")
    sys.exit(bool(lines))
