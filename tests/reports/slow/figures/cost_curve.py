"""Accuracy against operations, memory and time."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import ANY, Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.study import Group, Study, front

COSTS = (
    ("Training operations per pair (GFLOPs)", ("flops_forward", "flops_backward"), 1e9),
    ("Peak memory of training (MiB)", ("peak_memory_train",), 2**20),
    ("One training step (ms)", ("step_seconds",), 1e-3),
)


def wanted(study: Study) -> list[Mark]:
    here = [g for g in study.groups("R1") if g.dataset == PLACES[0]]
    points = [g for g in here if g.scores and g.of("trained")]
    bounds = common.percent_limits(points)
    found = []
    for panel, (title, columns, unit) in enumerate(COSTS):
        cost = {id(g): sum(g.of(c) for c in columns) / unit for g in points}
        best = front([(cost[id(g)], g.mean) for g in points])
        scale = "log" if max(cost.values()) > 3 * min(cost.values()) else "linear"
        found += [
            Mark("limits", panel, (ANY, ANY, *bounds), (scale, "linear")),
            Mark("x label", panel, text=title),
            Mark("y label", panel, text="Rank-1 (%)"),
        ]
        curves: dict[str, list[Group]] = {}
        for g in points:
            x = cost[id(g)]
            curves.setdefault(g.label, []).append(g)
            found += common.point(panel, x, g, bounds)
            if (x, g.mean) in best:
                found.append(Mark("line", panel, (x, g.mean), names.dot(names.FRONT, "o")))
        for label, some in curves.items():
            some = sorted(some, key=lambda g: g.of("trained"))
            found.append(Mark("line", panel, [(cost[id(g)], g.mean) for g in some], names.line(label, 0.45)))
    labels = dict.fromkeys(g.label for g in points)
    found += common.legend([*((NAMES[label], names.entry(label)) for label in labels), common.FRONT])
    scored = [g for g in here if g.scores]
    return [*found, common.note([NAMES[PLACES[0]], *common.signs(scored), *common.gaps(here)])]
