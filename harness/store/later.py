"""What was measured of a trial after it was committed: shards as those of trials, with ids of their own.

    later/<trial>~<id>     says that `trials/<id>/`, or a trial of that id in a pack, holds scores of <trial>

The mark is written first, so that no scores are without one. The row of such a shard says what it is of and how it came
about; whoever reads the trial gets its scores and per-query records behind the trial's own, under the trial's id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.store import reading, schema
from harness.store.files.checksummed import seal
from harness.store.files.packs import Tables

FOLDER, PHASE = "later", "later"
Further = dict[str, list[dict[str, Any]]]  # by trial, `{dataset: name, options: {...}}`


def name(trial: str, measured_on: str) -> str:
    """The id under which what a trial gives on another data set is kept."""
    return hashlib.sha256(f"{trial} measured on {measured_on}".encode()).hexdigest()[:16]


def mark(files: Any, trial: str, measured_on: str) -> str:
    """Say that there will be scores of a trial on another data set; returns their id."""
    ident = name(trial, measured_on)
    body = {"schema": schema.VERSION, "trial": trial, "id": ident, "measured_on": measured_on}
    files.create(f"{FOLDER}/{trial}~{ident}", seal(body))
    return ident


def take(files: Any, other: Any, trials: Iterable[str]) -> None:
    """Copy the marks of trials of another store."""
    here = set(files.names(FOLDER))
    for trial, idents in of(other, trials).items():
        for ident in idents:
            if (own := f"{trial}~{ident}") not in here:
                files.create(f"{FOLDER}/{own}", other.read(f"{FOLDER}/{own}"))


def of(files: Any, trials: Iterable[str]) -> dict[str, list[str]]:
    """Ids of what was, or is to be, measured of each of some trials later; only of those that have any."""
    found: dict[str, list[str]] = {}
    for trial, _, ident in (mark.partition("~") for mark in sorted(files.names(FOLDER))):
        found.setdefault(trial, []).append(ident)
    return {trial: found[trial] for trial in trials if trial in found}


def behind(files: Any, trials: Iterable[str]) -> list[str]:
    """Trials in their order, each with the ids of what was measured of it later behind it."""
    trials = list(trials)
    more = of(files, trials)
    return [ident for trial in trials for ident in (trial, *more.get(trial, ()))]


def read(files: Any, trials: Iterable[str], tables: Sequence[str]) -> tuple[Tables, dict[str, str], Further]:
    """As `reading.read`, with what was measured later as the trial's own, and on which data sets that was.

    A trial is missing, with the reason, when any of this is damaged; what is not measured yet is passed over.
    """
    trials = list(trials)
    homes = {ident: trial for trial, idents in of(files, trials).items() for ident in idents}
    if not homes:
        return *reading.read(files, trials, tables), {}
    found, missing = reading.read(files, behind(files, trials), sorted({*tables, "trials"}))
    further: Further = {}
    columns = (found["trials"][name].to_pylist() for name in ("id", "status", "spec"))
    for ident, status, spec in zip(*columns, strict=True):
        if ident in homes and status == "ok":
            further.setdefault(homes[ident], []).append(json.loads(spec)["dataset"])
    if "trials" not in tables:
        found["trials"] = found["trials"].slice(0, 0)
    broken = {i: why for i, why in missing.items() if i in homes and not why.startswith(reading.NOT_RUN)}
    missing = {i: why for i, why in missing.items() if i not in homes}
    for ident, why in broken.items():
        missing.setdefault(homes[ident], f"{why}; upbench evaluate measures it again")
    left = {n: _without(t, [*homes, *missing] if n == "trials" else [*missing]) for n, t in _homed(found, homes)}
    return left, {ident: missing[ident] for ident in trials if ident in missing}, further


def declared(trials: Mapping[str, Mapping[str, Any]], further: Further) -> dict[str, Mapping[str, Any]]:
    """Declared trials by id, with the data sets that they were measured on later among those of `evaluate_on`."""
    found = dict(trials)
    for ident, datasets in further.items():
        if own := found[ident].get("trial"):
            found[ident] = {
                **found[ident],
                "trial": {**own, "evaluate_on": [*(own.get("evaluate_on") or ()), *datasets]},
            }
    return found


def _homed(found: Tables, homes: dict[str, str]) -> Iterable[tuple[str, pa.Table]]:
    for table, rows in found.items():
        if table == "trials":
            yield table, rows
            continue
        yield table, schema.reworded(rows, "id", lambda ident: homes.get(ident, ident))


def _without(rows: pa.Table, idents: Sequence[str]) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["id"], pa.array(idents, schema.TEXT)))) if idents else rows
