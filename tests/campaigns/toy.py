"""Trials that cost nothing, and what must be true of a store that holds them."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from harness.store.store import Record, Store

PLACE = {"dataset": "synth", "split": "test", "direction": "t2i"}


def record(ident: str = "0123456789abcdef", value: float = 41.5, queries: int = 2, **trial: object) -> Record:
    """A small trial; its numbers follow from its id and `value`."""
    row = {"id": ident, "label": "lora", "method": "lora", "dataset": "synth", "seed": 0, "status": "ok"}
    score = {**PLACE, "choice": "selected", "metric": "R1", "value": value}
    rng = np.random.default_rng(int(ident, 36) % 2**32)
    first = np.array([1, 3]) if queries == 2 else np.minimum(rng.geometric(0.2, queries), 400)
    ap = np.array([1.0, 0.25]) if queries == 2 else 1.0 / first
    return Record(
        trial=row | {"spec": {"a": 1}} | trial,
        scores=[{**score, "queries": queries, "gallery": 3, "unmatched": 0}],
        history=[{"epoch": 1, "step": 10, "loss": float("nan"), "val_R1": 30.0}],
        queries={
            **{key: [text] * queries for key, text in PLACE.items()},
            "query": np.arange(queries),
            "person": 7 + np.arange(queries) // 2,
            "positives": np.ones(queries, int),
            "first": first,
            "ap": ap.astype(np.float32),
            "inp": (1.0 / first).astype(np.float32),
        },
    )


def entry(ident: str, **more: object) -> dict:
    """A declared trial."""
    plain = {"label": "lora", "method": "lora", "budget": None, "dataset": "synth", "seed": 0, "trial": {}}
    return {"id": ident, **plain, **more}


def contents(store: Store, study: str = "one") -> dict[str, list]:
    """All rows of a study, as plain values."""
    found = store.read(study)
    assert not found.missing, found.missing
    frames = {name: getattr(found, name) for name in ("trials", "scores", "history", "queries")}
    return {name: frame.astype(object).where(frame.notna(), None).values.tolist() for name, frame in frames.items()}


def fork(work: Callable[[], int | None]) -> int:
    """Process id of a child that does `work` and ends with what it returns, or 70 when it raised."""
    child = os.fork()
    if not child:
        code = 70
        try:
            code = work() or 0
        except BaseException:
            if os.environ.get("CAMPAIGN_TRACE"):
                traceback.print_exc()
        finally:
            os._exit(code)
    return child


def in_child(work: Callable[[], int | None]) -> int:
    """Exit code of `work()` in a forked process; negative when a signal ended it, 70 when it raised."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


@contextmanager
def scratch():
    """A folder for one campaign, in memory where there is such a place, so that ten thousand syncs cost little."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="campaign-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
