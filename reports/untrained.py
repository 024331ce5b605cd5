"""What the frozen backbone gives without training: lines and rows that others are read against."""

from __future__ import annotations

from collections.abc import Iterable

from reports.cells import Cell


def untrained(found: Iterable[Cell]) -> list[dict[str, Cell]]:
    """For each backbone without training its cell by the dataset measured on, that at home where there is one.

    What was declared several times and scores alike, such as for each share of the training data, is taken once.
    """
    groups: dict[str, dict[str, Cell]] = {}
    for c in sorted((c for c in found if c.trained == 0 and c.values), key=lambda c: c.measured == c.dataset):
        groups.setdefault(c.key, {})[c.measured] = c
    kept: list[dict[str, Cell]] = []
    for some in groups.values():
        if not any(all(c.mean == other[at].mean for at, c in some.items() if at in other) for other in kept):
            kept.append(some)
    return kept


def named(kept: list[dict[str, Cell]]) -> list[tuple[str, dict[str, Cell]]]:
    """The same with the words for a figure: what tells several apart."""
    return [("Zero-shot" if len(kept) == 1 else next(iter(some.values())).series, some) for some in kept]
