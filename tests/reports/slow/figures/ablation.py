"""What is lost with fewer parts."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.study import Study
from tests.reports.slow.tables import PARTS

COLOURS = {label: look[0] for label, look in names.LOOKS.items()} | {
    "lora+l_adapter": "#e69f00"
}  # by a hash of its label
BLACK = names.plain("#000000")


def wanted(study: Study) -> list[Mark]:
    every = study.groups("R1")
    found = []
    shown: list[tuple[float, float, float]] = []  # difference, low, high; all panels share their limits
    for panel, place in enumerate(PLACES):
        here = [g for g in every if g.dataset == place]
        whole = max((g for g in here if g.label == "up_person"), key=lambda g: g.size)
        fewer = [g for g in here if g.budget == whole.budget and g is not whole]
        fewer.sort(key=lambda g: (-len(PARTS[g.label]), PARTS[g.label]))
        found.append(Mark("line", panel, (0, 0, 0, 1), BLACK, space="x"))
        for k, g in enumerate(fewer):
            if not g.scores:
                found.append(common.words(panel, g.story, 0, k))
                continue
            gap, _ = study.difference(g, whole, "R1")
            low, high = gap.mean - gap.half, gap.mean + gap.half
            shown.append((gap.mean, low, high))
            look = (COLOURS[g.label], 0.35 if low <= 0 <= high else 1.0, None, "none", "")
            left, width = min(gap.mean, 0), abs(gap.mean)
            found += [
                Mark("bar", panel, (0, k - 0.31, gap.mean, 0.62), look) if gap.mean >= 0 else
                Mark("bar", panel, (left + width, k - 0.31, -width, 0.62), look),
                Mark("line", panel, (low, k, high, k), BLACK),
            ]  # fmt: skip
        ticks = " | ".join(" + ".join(NAMES[part] for part in PARTS[g.label]) for g in fewer)
        found += [
            Mark("y ticks", panel, range(len(fewer)), text=ticks),
            Mark("title", panel, text=f"{NAMES[place]}: {whole.name} {whole.mean:.1f} at {whole.budget}"),
        ]
    high = len(PARTS) - 1 - 0.4
    found += [Mark("limits", k, (*_ends(shown), high, -0.6), ("linear", "linear")) for k in range(len(PLACES))]
    found.append(Mark("x label", len(PLACES) - 1, text="Δ Rank-1 (points)"))
    said = "pale: the 95 % interval holds zero; a line that reaches the edge goes on"
    return [*found, common.note([said])]


def _ends(shown: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Zero, all differences, and of their intervals what adds no more than the range of these."""
    means = [0.0, *(mean for mean, _, _ in shown)]
    reach = max(max(means) - min(means), 1)
    low = min(*means, *(max(low, min(means) - reach) for _, low, _ in shown))
    high = max(*means, *(min(high, max(means) + reach) for _, _, high in shown))
    pad = 0.06 * (high - low)
    return low - pad, high + pad
