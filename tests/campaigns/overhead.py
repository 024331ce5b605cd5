"""What an executor costs for each trial: trials that do nothing but commit a row, in the plain loop and through Ray."""

from __future__ import annotations

import time
from pathlib import Path

from harness.execution.executor import execute
from harness.execution.ray.session import Session
from harness.store.store import Store
from tests.campaigns.toy import record

FEW, MANY = 10, 110  # trials; the difference of both runs leaves the start of the executor out
LIMIT = 0.5  # seconds for each trial that Ray may take more than the plain loop
CASES = (("serial", 1), ("ray", 1), ("ray", 2))


def nothing():
    """A trial function that Ray can take to its workers."""

    def run(resolved, store, data, report):
        Store(store).commit(record(resolved["id"]), resolved["claim"])
        return "ok"

    return run


def campaign(folder: Path) -> tuple[int, int, list[str]]:
    """Executors within the limit, executors, and what went wrong; prints milliseconds of wall time for each trial."""
    (folder / "data").mkdir()
    each, faults = {}, []
    for executor, workers in CASES:
        seconds = {}
        for count in (FEW, MANY):
            seconds[count], fault = _run(folder, executor, workers, count)
            faults += fault
        each[executor, workers] = (seconds[MANY] - seconds[FEW]) / (MANY - FEW)
        print(f"  {executor}, {workers} side by side: {1000 * each[executor, workers]:.0f} ms a trial", flush=True)
    plain = each[CASES[0]]
    late = [
        f"{name}: {value - plain:.2f} s a trial over the loop" for name, value in each.items() if value > plain + LIMIT
    ]
    return len(CASES) - len(late), len(CASES), faults + late


def _run(folder: Path, executor: str, workers: int, count: int) -> tuple[float, list[str]]:
    """Seconds from the first trial handed over to the end, Ray being up before, and what was not committed."""
    store = folder / f"{executor}{workers}-{count}"
    todo = [{"id": f"{n:016x}", "trial": {}, "status": "ready", "trained": 1} for n in range(count)]
    session = Session(workers) if executor == "ray" else None
    try:
        if session:
            session.wait()
        begin = time.perf_counter()
        places = {"store": store, "data": folder / "data"}
        outcome = execute(todo, nothing(), **places, executor=executor, workers=workers, session=session)
        seconds = time.perf_counter() - begin
    finally:
        if session:
            session.close()
    missing = count - len(Store(store).done([trial["id"] for trial in todo]))
    return seconds, [
        f"{executor}, {workers}: {missing} of {count} are not committed"
    ] if missing or outcome.lost else []
