"""The law of each method with its band."""

from __future__ import annotations

import numpy as np

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES, PLACES
from tests.reports.slow.numbers import law
from tests.reports.slow.study import Group, Study


def wanted(study: Study) -> list[Mark]:
    every = [g for g in study.groups("R1") if g.budget]
    labels = dict.fromkeys(g.label for g in every)
    found, named = [], []
    for panel, place in enumerate(PLACES):
        curves = [[g for g in every if (g.dataset, g.label) == (place, label) and g.scores] for label in labels]
        curves = [sorted(some, key=lambda g: g.size) for some in curves if len({g.size for g in some}) > 3]
        bounds = common.percent_limits(g for some in curves for g in some)
        sizes = [g.size for some in curves for g in some]
        for some in curves:
            found += _law(panel, some)
            named.append(some[0].label)
        found += [
            Mark("limits", panel, (min(sizes) / 1.5, 1.5 * max(sizes), *bounds), ("log", "linear")),
            Mark("y label", panel, text="Rank-1 (%)"),
            common.words(panel, NAMES[place], 0.985, 0.03, space="axes"),
        ]
    found.append(Mark("x label", len(PLACES) - 1, text="Trained parameters"))
    found += common.legend([(NAMES[label], names.entry(label)) for label in labels if label in named])
    without = ", ".join(sorted(NAMES[label] for label in labels if label not in named))
    return [*found, common.note([f"no law for {without}: fewer than four sizes"])]


def _law(panel: int, curve: list[Group]) -> list[Mark]:
    fit, smallest = law(curve), curve[0].size
    colour, marker, _ = LOOKS[curve[0].label]
    band, line = [], []
    for k in range(100):
        x = smallest * (curve[-1].size / smallest) ** (k / 99)
        some = [ceiling - drop * (x / smallest) ** -rate for ceiling, drop, rate in fit["draws"]]
        band.append((x, *np.quantile(some, [0.025, 0.975])))
        line.append((x, fit["ceiling"] - fit["drop"] * (x / smallest) ** -fit["rate"]))
    points = [Mark("line", panel, (g.size, g.mean), names.dot(colour, marker)) for g in curve]
    return [
        Mark("band", panel, band, (colour, 0.15)),
        Mark("line", panel, line, names.line(curve[0].label)),
        *points,
    ]
