"""Marks that several figures have: points with intervals, legends, notes, and the limits of an axis of percent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.colors import to_rgb

from tests.reports.slow import names
from tests.reports.slow.drawn import ANY, FIGURE, Mark
from tests.reports.slow.names import LOOKS, NAMES
from tests.reports.slow.precision import unreached, wider
from tests.reports.slow.study import Group

MARKER = 3.8  # points
FILLS = {"single": "none", "partial": "bottom"}


def percent_limits(groups: Iterable[Group]) -> tuple[float, float]:
    """All means and the intervals of three seeds or more; of two seeds as far as 0.6 of the means' range goes."""
    groups = [g for g in groups if g.scores]
    means = [g.mean for g in groups]
    reach = 0.6 * max(max(means) - min(means), 2)
    lowest, highest = min(means), max(means)
    for g in groups:
        half = g.interval.half
        if half is not None:
            low, high = g.mean - half, g.mean + half
            if len(g.scores) == 2:
                low, high = max(low, min(means) - reach), min(high, max(means) + reach)
            lowest, highest = min(lowest, low), max(highest, high)
    pad = max(0.06 * (highest - lowest), 0.5)
    return float(max(0, lowest - pad)), float(min(100, highest + pad))


def point(panel: int, x: float, g: Group, bounds: tuple[float, float], shift: float = 0.0) -> list[Mark]:
    """A mean with its interval; an arrowhead where the interval leaves the panel."""
    colour, marker, _ = LOOKS[g.label]
    found = []
    moved = (shift, 0.0)
    if g.interval.half is not None:
        low, high = g.mean - g.interval.half, g.mean + g.interval.half
        if low < bounds[0]:
            found.append(Mark("line", panel, (x, bounds[0]), names.dot(colour, "v"), shift=moved))
        if high > bounds[1]:
            found.append(Mark("line", panel, (x, bounds[1]), names.dot(colour, "^"), shift=moved))
        ends = (x, max(low, bounds[0]), x, min(high, bounds[1]))
        found.append(Mark("line", panel, ends, names.plain(colour), shift=moved))
    look = names.dot(colour, marker, FILLS.get(g.status, ""))
    return [*found, Mark("line", panel, (x, g.mean), look, shift=moved)]


def absent(panel: int, x: float, g: Group, shift: float = 0.0) -> Mark:
    """The cross of a group without a score, at the lower edge."""
    look = names.dot(LOOKS[g.label][0], "x")
    return Mark("line", panel, (x, 0), look, space="x", shift=(shift, 0.9 * MARKER))


def beside(k: int, count: int, step: float) -> float:
    """How far the k-th of some methods is moved to the right, in points."""
    return (k - (count - 1) / 2) * step * MARKER


def words(panel: int, text: str, x: float = ANY, y: float = ANY, colour: str = "#000000", space: str = "data") -> Mark:
    return Mark("text", panel, (x, y), (colour,), text, space)


def legend(entries: Sequence[tuple[str, tuple]]) -> list[Mark]:
    """Names and looks, in their order."""
    return [Mark("legend", FIGURE, (k,), look, name) for k, (name, look) in enumerate(entries)]


FRONT = ("Pareto front", names.dot(names.FRONT, "o"))


def note(sentences: Iterable[str]) -> Mark:
    said = ". ".join(s[0].upper() + s[1:] for s in sentences if s)
    return Mark("note", FIGURE, text=f"{said}.")


def signs(groups: Iterable[Group]) -> list[str]:
    groups = list(groups)
    seen = {g.status for g in groups}
    return [
        *["hollow: one seed, no interval"] * ("single" in seen),
        *["half-filled: not all seeds have a score"] * ("partial" in seen),
        *["an arrowhead: the interval of two seeds goes on"] * any(len(g.scores) == 2 for g in groups),
        *dict.fromkeys(f"bars: Stein's two-stage interval, pilot of {g.first}" for g in groups if g.first and g.scores),
        *["×: no score"] * bool(seen - {"ok", "single", "partial"}),
    ]


def gaps(groups: Sequence[Group]) -> list[str]:
    """What is not whole, by kind of gap; the data sets where it is not so in all. Cells that wait for further seeds are
    told by `unreached` where they are too wide, and counted where there are five or more."""
    waits = [g for g in groups if g.first and g.status == "partial" and set(g.lost) == {"missing"}]
    wide = [g for g in waits if wider(g)]
    narrow = [g for g in waits if g not in wide]
    counted = [f"fewer seeds so far than asked for: {len(narrow)} cells"] if len(narrow) > 4 else []
    left_out = wide + (narrow if counted else [])
    places = {g.dataset for g in groups}
    where: dict[tuple[str, str], list[str]] = {}
    for g in groups:
        if g.status != "ok" and g not in left_out:
            why = "one seed, no interval" if g.status == "single" else g.story
            where.setdefault((why, f"{g.series} at {g.budget}" if g.budget else g.series), []).append(g.dataset)
    lines: dict[str, list[str]] = {}
    for (why, who), some in where.items():
        there = "" if set(some) == places else f" ({', '.join(NAMES[d] for d in some)})"
        lines.setdefault(why, []).append(who + there)
    return [*(f"{', '.join(some)}: {why}" for why, some in lines.items()), *counted, *unreached(groups)]


def largest(groups: Iterable[Group]) -> list[Group]:
    """Each method at its largest size that has a score."""
    best: dict[str, Group] = {}
    for g in groups:
        if g.scores and (g.label not in best or g.of("trained") > best[g.label].of("trained")):
            best[g.label] = g
    return list(best.values())


PALE = ("#FFFFFF", "#B9D7EA", "#0072B2")
SIGNED = ("#0072B2", "#FFFFFF", "#D55E00")


def ink(share: float, colours: Sequence[str] = PALE) -> str:
    """Black or white, which has more contrast on a shade between three colours, such as white, pale blue and blue."""
    shades = np.array([to_rgb(c) for c in colours])
    colour = [float(np.interp(share, [0, 0.5, 1], shades[:, k])) for k in range(3)]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05
    return "#ffffff" if 1.05 / light > light / 0.05 else "#000000"
