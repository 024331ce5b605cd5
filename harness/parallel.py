"""Work for which one process takes long, side by side in forks of this one, which see its data without a copy."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
_shared: dict[str, Callable[[Any], Any]] = {}


def each(function: Callable[[Item], Made], items: Iterable[Item], workers: int) -> list[Made]:
    """`[function(item) for item in items]`, in `workers` processes where forks are possible.

    What `function` gives, and the items, are sent between processes; what it refers to is not.
    """
    items = list(items)
    if workers < 2 or len(items) < 2 or not forkable():
        return [function(item) for item in items]
    _shared["function"] = function
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_one, items))
    finally:
        _shared.clear()


def forkable() -> bool:
    """Whether this process may be forked: threads, of Python or of torch or ray, would not be there in the fork."""
    known = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()
    return known and not {"torch", "ray"} & set(sys.modules) and threading.active_count() == 1


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one(item: Any) -> Any:
    return _shared["function"](item)
