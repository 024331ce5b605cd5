"""What must be said of cells beside their numbers, in sentences: how scores were taken, what is missing or unsure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from reports.cells import CHOICES, Cell, places
from reports.drawing import palette
from reports.statistics import strays

FEW = 4  # cells that a note names one by one


def protocol(found: Iterable[Cell], where: str = "") -> str:
    """How the scores were taken, in words; `where` tells whose val."""
    found = list(found)
    ways = [CHOICES[w] for w in CHOICES if w in {c.choice for c in found}]
    measured = " or ".join(ways) or "nothing measured"
    first = f"Percent, text to image, test split, {measured}{where}"
    return "; ".join([first, *sources(found), *unreached(found), *strange(found)])


def means(found: Iterable[Cell]) -> str:
    """What stands behind ± where means are shown."""
    design = next((c.design for c in found if c.design), None)
    return "mean ± half of " + (f"{design.words}, 95 %, over seeds" if design else "the 95 % t interval over seeds")


def resampled(found: Iterable[Cell]) -> list[str]:
    """That an interval over seeds and identities is not that of the study's design: a sentence, or nothing."""
    words = "Identities are resampled beside seeds, so the intervals of differences are not Stein's"
    return [words] if any(c.design for c in found) else []


def sources(found: Iterable[Cell]) -> list[str]:
    """Where val comes from, for the datasets that have no official one: a sentence, or nothing."""
    made: dict[str, list[str]] = {}
    found = [c for c in found if c.val]
    for place in places(found):
        for kind in dict.fromkeys(c.val for c in found if c.dataset == place and c.val):
            made.setdefault(kind, []).append(palette.name(place))
    return [f"val of {', '.join(where)}: a {kind}" for kind, where in made.items()]


def unreached(found: Iterable[Cell]) -> list[str]:
    """Which intervals are wider than the study asks for, or of more than `FEW` how many: a sentence, or nothing."""
    asked = [(c, half) for c in found if (half := _half(c)) is not None]
    wide = [(c, half) for c, half in asked if _wider(c)]
    if not wide:
        return []
    width, halves = wide[0][0].width, [half for _, half in wide]
    if len(wide) > FEW:
        reach = f"± {min(halves):.2f} to {max(halves):.2f}"
        return [f"width of ± {width:g} not reached in {len(wide)} of {len(asked)} cells: {reach}"]
    told = [f"{_at(c)} on {palette.name(c.dataset)} ± {half:.2f} with {c.story}" for c, half in wide]
    return [f"width of ± {width:g} not reached: {', '.join(told)}"]


def strange(found: Iterable[Cell]) -> list[str]:
    """Which seeds lie far from all others of their cell: a sentence, or nothing.

    Student's and Stein's intervals hold for a normal spread; one training that did not learn, and they do not.
    """
    far = [(c, np.sort(strays(np.array(c.values)))) for c in found if len(c.values) > 2]
    told = [
        f"{_at(c)} on {palette.name(c.dataset)} {len(some)} of {len(c.values)} ({', '.join(f'{v:.1f}' for v in some)})"
        for c, some in far
        if len(some)
    ]
    return [f"seeds far from all others, so the interval may not hold: {'; '.join(told)}"] if told else []


def gaps(found: Sequence[Cell]) -> list[str]:
    """What a reader must know before trusting a mean: one line per kind of gap, the cells of it named.

    Of more than `FEW` cells that only wait for further seeds, how many; what `unreached` tells is not told twice.
    """
    waiting = sum(_waits(c) and not _wider(c) for c in found)
    grouped: dict[tuple[str, str], list[str]] = {}
    for c in found:
        if c.status != "ok" and not (_waits(c) and (waiting > FEW or _wider(c))):
            why = "one seed, no interval" if c.status == "single" else c.story
            grouped.setdefault((_at(c), why), []).append(c.dataset)
    everywhere = {c.dataset for c in found}
    lines: dict[str, list[str]] = {}
    for (at, why), where in grouped.items():
        there = "" if set(where) == everywhere else f" ({', '.join(palette.name(d) for d in dict.fromkeys(where))})"
        lines.setdefault(why, []).append(at + there)
    told = [f"{', '.join(some)}: {why}" for why, some in lines.items()]
    told += [f"fewer seeds so far than asked for: {waiting} cells"] * (waiting > FEW)
    return [*told, *unreached(found), *strange(found)]


def _half(c: Cell) -> float | None:
    """Half of its interval; None without one, and where the study asks for no width."""
    return c.interval.half if c.width and c.interval else None


def _wider(c: Cell) -> bool:
    """Whether its interval is wider than the study asks for."""
    return (_half(c) or 0.0) > (c.width or 0.0) * (1 + 1e-9)


def _waits(c: Cell) -> bool:
    """Whether all that it lacks is further seeds, as its pilot asks for them."""
    return bool(c.design) and c.status == "partial" and set(c.statuses) == {"ok", "missing"}


def _at(c: Cell) -> str:
    return f"{c.series} at {c.budget}" if c.budget else c.series
