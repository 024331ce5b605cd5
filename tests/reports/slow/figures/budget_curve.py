"""Accuracy against trained parameters."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import ANY, Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import GREY, NAMES, PLACES
from tests.reports.slow.study import Group, Study, front


def wanted(study: Study, metric: str = "R1") -> list[Mark]:
    every = study.groups(metric)
    sizes = [g.size for g in every if g.size]
    across = min(sizes) / 1.7, max(sizes) * 1.7
    backbone = next(g.of("trained") for g in every if g.label == "full")
    found = []
    for panel, place in enumerate(PLACES):
        found += _panel(panel, [g for g in every if g.dataset == place], across)
        found += [
            common.words(panel, NAMES[place], space="axes"),
            Mark("y label", panel, text=f"{NAMES.get(metric, metric)} (%)"),
        ]
    found += [
        Mark("second axis", 0, [100 * x / backbone for x in across]),
        Mark("second x label", 0, text="Trained / backbone parameters (%)"),
        Mark("x label", len(PLACES) - 1, text="Trained parameters"),
    ]
    methods = dict.fromkeys(g.label for g in every if g.budget)
    found += common.legend([*((NAMES[m], names.entry(m)) for m in methods), common.FRONT])
    return [*found, common.note([*common.signs(every), *common.gaps(every)])]


def _panel(panel: int, here: list[Group], across: tuple[float, float]) -> list[Mark]:
    trained = [g for g in here if g.scores and g.of("trained")]
    zero, full = (next(g for g in here if g.label == label) for label in ("zero_shot", "full"))
    low, high = common.percent_limits(trained)
    below = zero.mean < low - 0.25 * (high - low)
    low = low if below else min(low, zero.mean - 0.06 * (high - low))
    found = [Mark("limits", panel, (*across, low, high), ("log", "linear"))]
    best = front([(g.size, g.mean) for g in trained])
    labels = list(dict.fromkeys(g.label for g in here if g.budget))
    for k, label in enumerate(labels):
        shift = common.beside(k, len(labels), 0.75)
        curve = sorted((g for g in here if g.label == label), key=lambda g: g.size)
        joined = [(g.size, g.mean) for g in curve if g.scores]
        found.append(Mark("line", panel, joined, names.line(label), shift=(shift, 0)))
        for g in curve:
            if not g.scores:
                found.append(common.absent(panel, g.size, g, shift))
                continue
            found += common.point(panel, g.size, g, (low, high), shift)
            found += _front(panel, g, best, shift)
    if not below:
        ends = (0, zero.mean, 1, zero.mean)
        found.append(Mark("line", panel, ends, names.line("zero_shot"), space="y"))
    height, depth = ((g.mean - low) / (high - low) for g in (full, zero))
    sunk = ANY if below else depth
    return [
        *found,
        Mark("line", panel, (0, full.mean, 1, full.mean), names.line("full"), space="y"),
        *common.point(panel, full.size, full, (low, high)),
        *_front(panel, full, best, 0),
        common.words(panel, f"Full FT {full.mean:.1f}", y=height, space="axes"),
        common.words(panel, f"Zero-shot {zero.mean:.1f}" + " ↓" * below, y=sunk, colour=GREY, space="axes"),
    ]


def _front(panel: int, g: Group, best: list[tuple[float, float]], shift: float) -> list[Mark]:
    if (g.size, g.mean) not in best:
        return []
    return [Mark("line", panel, (g.size, g.mean), names.dot("#d0d0d0", "o"), shift=(shift, 0))]
