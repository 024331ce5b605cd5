"""Faults of a data set: the first is raised, or all are collected while somebody checks the data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from harness.errors import DataError

_SINK: ContextVar[list[DataError] | None] = ContextVar("faults", default=None)


@contextmanager
def collecting() -> Iterator[list[DataError]]:
    """Inside, faults that leave the rest readable are put into the list, and what has them is left out."""
    found: list[DataError] = []
    token = _SINK.set(found)
    try:
        yield found
    finally:
        _SINK.reset(token)


def tell(fault: DataError) -> None:
    """Raise a fault, or collect it."""
    sink = _SINK.get()
    if sink is None:
        raise fault
    sink.append(fault)
