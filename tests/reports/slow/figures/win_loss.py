"""Ranks of the first match under the two best methods, query by query."""

from __future__ import annotations

import math

from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import GREEN, NAMES, PLACES, VERMILLION
from tests.reports.slow.numbers import mcnemar
from tests.reports.slow.study import Group, Study

CLASSES = ("1", "2–5", "6–10", "11–50", ">50")
LAST = (1, 5, 10, 50, math.inf)  # rank of each class


def wanted(study: Study) -> list[Mark]:
    found, said = [], []
    for panel, place in enumerate(PLACES):
        here = [g for g in study.groups("R1") if g.dataset == place and g.budget and g.scores]
        target = max(g.of("budget_parameters") for g in here)
        some = [g for g in here if g.of("budget_parameters") == target]
        one, two = sorted(some, key=lambda g: -g.mean)[:2]
        seeds = [s for s in one.ids if s in two.ids]
        ranks = list(zip(study.firsts(one, seeds), study.firsts(two, seeds), strict=True))
        found += _panel(panel, one, two, ranks)
        classes = [tuple(map(_class, pair)) for pair in ranks]
        better, worse = sum(i < j for i, j in classes), sum(i > j for i, j in classes)
        only, other, p = mcnemar([a <= 1 for a, _ in ranks], [b <= 1 for _, b in ranks])
        chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        said.append(
            f"{NAMES[place]}: {one.name} is in a better class on {better} queries, in a worse one on {worse}; right "
            f"alone {only} to {other}, McNemar {chance}"
        )
    signs = "area: number of queries; plain green: the row's method is better, hatched: worse"
    return [*found, common.note([signs, *said])]


def _class(rank: float) -> int:
    """Half ranks, between those of two seeds, belong to the class that they have left."""
    return next(k for k, last in enumerate(LAST) if rank < last + 1)


def _panel(panel: int, one: Group, two: Group, ranks: list[tuple[float, float]]) -> list[Mark]:
    counts: dict[tuple[int, int], int] = {}
    for a, b in ranks:
        counts[_class(a), _class(b)] = counts.get((_class(a), _class(b)), 0) + 1
    found = []
    for (i, j), count in counts.items():
        side = 0.92 * math.sqrt(count / max(counts.values()))
        colour = GREEN if i < j else VERMILLION if i > j else "#9a9a9a"
        look = (colour, None, "////" if i > j else None, "#ffffff", "solid")
        x = j if side > 0.62 else j + side / 2 + 0.06
        found += [
            Mark("bar", panel, (j - side / 2, i - side / 2, side, side), look),
            common.words(panel, f"{count}", x, i),
        ]
    ticks = " | ".join(CLASSES)
    return [
        *found,
        Mark("limits", panel, (-0.55, 4.75, 4.55, -0.55), ("linear", "linear")),
        Mark("x ticks", panel, range(5), text=ticks),
        Mark("y ticks", panel, range(5), text=ticks),
        Mark("x label", panel, text=f"First match, {two.name}"),
        Mark("y label", panel, text=f"First match, {one.name}"),
        Mark("title", panel, text=f"{NAMES[one.dataset]}, {one.budget}"),
    ]
