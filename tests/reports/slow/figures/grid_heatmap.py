"""Two settings of a grid together."""

from __future__ import annotations

from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.study import Study

FRAME = ("none", None, None, "#000000", "solid")
PALEST = -0.25


def wanted(study: Study) -> list[Mark]:
    here = [g for g in study.groups("R1") if g.dataset == PLACES[0]]
    target = max(g.of("budget_parameters") for g in here)
    at = {(g.depth, g.lr): g for g in here if g.of("budget_parameters") == target}
    depths, rates = (sorted({key[k] for key in at}) for k in (0, 1))
    means = {key: g.mean for key, g in at.items() if g.scores}
    low, high = min(means.values()), max(means.values())
    found, shades = [], []
    for i, depth in enumerate(depths):
        for j, rate in enumerate(rates):
            g = at[depth, rate]
            shades.append((g.mean - low) / (high - low) if g.scores else 0.0)
            text = f"{g.mean:.1f}" + "*" * (g.status != "ok") if g.scores else "×"
            found.append(common.words(0, text, j, i, common.ink((shades[-1] - PALEST) / (1 - PALEST))))
            if g.scores and g.mean == high:
                found.append(Mark("bar", 0, (j - 0.5, i - 0.5, 1, 1), FRAME))
    right, bottom = len(rates) - 0.5, len(depths) - 0.5
    look = (len(depths), len(rates), "upper", "upbench", PALEST, 1.0)
    return [
        *found,
        Mark("image", 0, [-0.5, right, bottom, -0.5, *shades], look),
        Mark("limits", 0, (-0.5, right, bottom, -0.5), ("linear", "linear")),
        Mark("x ticks", 0, range(len(rates)), text=" | ".join(f"{rate:g}" for rate in rates)),
        Mark("y ticks", 0, range(len(depths)), text=" | ".join(f"{depth}" for depth in depths)),
        Mark("x label", 0, text="lr"),
        Mark("y label", 0, text="depth"),
        Mark("title", 0, text=f"{NAMES[here[0].label]} ({NAMES[PLACES[0]]}, {here[-1].budget})"),
        common.note(["Rank-1 (%)", "* one seed, or not all seeds have a score; ×: no score"]),
    ]
