"""Records of runs: `runs/<study>/<number>.json`, one per `upbench run`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.store import schema
from harness.store.files.checksummed import seal, unseal


def read(files: Any, study: str) -> list[dict]:
    """The records of a study, oldest first."""
    paths = [f"runs/{study}/{number:06d}.json" for number in _numbers(files, study)]
    # Release 0.1 reserved a number by an empty file, which a crash could leave.
    return [unseal(path, files) for path in paths if files.size(path)]


def add(files: Any, study: str, record: Mapping[str, object]) -> Any:
    """Keep a record under the next number; returns its place."""
    number = max(_numbers(files, study), default=0)
    while True:
        number += 1
        path = f"runs/{study}/{number:06d}.json"
        if files.create(path, seal({"schema": schema.VERSION, "number": number, **record})):
            return files.where(path)


def take(files: Any, other: Any, study: str) -> int:
    """Copy the records of another store that are not here yet, under new numbers; how many were added."""
    known = {seal({**run, "number": 0}) for run in read(files, study)}
    new = [run for run in read(other, study) if seal({**run, "number": 0}) not in known]
    for run in new:
        add(files, study, {key: value for key, value in run.items() if key not in ("schema", "number")})
    return len(new)


def _numbers(files: Any, study: str) -> list[int]:
    names = (name.removesuffix(".json") for name in files.names(f"runs/{study}"))
    return sorted(int(name) for name in names if name.isdigit())
