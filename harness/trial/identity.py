"""The code that decides a trial's numbers: found by following imports, not listed.

It is what `run.py` reaches, what a trial finds by name (method and its parts, data sets, losses), and the metrics that
choose its epoch, less a few modules that cannot change a number. A test breaks each of those and sees the same row.
Metrics that choose nothing are left out: they are computed from the ranks that the store keeps, whenever they are read.
"""

from __future__ import annotations

import functools
from pathlib import Path

from harness import meaning, registry

START = "harness.trial.run"
EXEMPT = {
    "harness.errors": "what the user is told",
    "harness.provenance": "commit, versions and hardware: columns beside the numbers",
    "harness.meaning": "hashes of code",
    "harness.trial.identity": "this file",
    "harness.trial.drift": "whether a checkpoint may be gone on from; it is taken whole or not at all",
    "harness.trial.kept.model": "what is kept of the model, after everything was measured",
    "harness.data.quality.messages": "progress of reading and packing",
    "harness.data.maps": "a file for people that says what each number of a data set is",
    "harness.store": "how rows come to rest; every byte is under a checksum",
}
CHOOSING = ("rank_k", "mean_ap")  # the metrics that `selection.py` and searches choose by


@functools.cache
def files(
    method: str, parts: tuple[str, ...] = (), datasets: tuple[str, ...] = (), losses: tuple[str, ...] = ()
) -> frozenset[Path]:
    """The files whose code decides a trial of a method built from `parts`, on these data sets, with these losses; the
    code of a shift is in the identity of its data set."""
    start = meaning.file_of(START)
    assert start is not None
    found = [start, *(registry.source("methods", name) for name in (method, *parts))]
    for kind, names in (("datasets", datasets), ("losses", losses), ("metrics", CHOOSING)):
        found += [registry.source(kind, name) for name in names]
    return frozenset(meaning.reached(found, tuple(EXEMPT)))


@functools.cache
def code(method: str, parts: tuple[str, ...] = (), datasets: tuple[str, ...] = (), losses: tuple[str, ...] = ()) -> str:
    """Hash of that code, 16 hex digits; comments, docstrings, layout and the place of files do not count."""
    return meaning.digest(files(method, parts, datasets, losses), tuple(EXEMPT))
