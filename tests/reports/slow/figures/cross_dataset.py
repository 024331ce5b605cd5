"""Each method on the data sets that it was not trained on, as heat maps."""

from __future__ import annotations

from tests.reports.slow.drawn import NOTHING, Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.study import Group, Study

FRAME = ("none", None, None, "#000000", "solid")
ACROSS = 2


def wanted(study: Study) -> list[Mark]:
    on = {place: study.groups("R1", on=place) for place in PLACES}
    trained = [g for some in on.values() for g in some if g.of("trained") != 0]
    shown: dict[str, dict[tuple[str, str], Group]] = {}
    for label in dict.fromkeys(g.label for g in trained):
        scored = [g for place, some in on.items() for g in some if g.label == label and g.scores and g.dataset != place]
        size = max(g.of("budget_parameters") or 0 for g in scored)
        shown[label] = {
            (g.dataset, place): g
            for place, some in on.items()
            for g in some
            if g.label == label and (g.of("budget_parameters") or 0) == size and g.scores
        }
    top = max(g.mean for some in shown.values() for g in some.values())
    rows = len(PLACES)
    places = " | ".join(NAMES[p] for p in PLACES)
    found, star = [], False
    for panel, some in enumerate(shown.values()):
        first = next(iter(some.values()))
        values = []
        for i, one in enumerate(PLACES):
            found.append(Mark("bar", panel, (i - 0.5, i - 0.5, 1, 1), FRAME))
            for j, other in enumerate(PLACES):
                g = some.get((one, other))
                values.append(g.mean if g else NOTHING)
                text = f"{g.mean:.1f}" + "*" * (g.status != "ok") if g else "–"
                star |= g is None or g.status != "ok"
                found.append(common.words(panel, text, j, i, common.ink(g.mean / top if g else 0)))
        end = rows - 0.5
        look = (rows, rows, "upper", "upbench", 0.0, top)
        found += [
            Mark("image", panel, [-0.5, end, end, -0.5, *values], look),
            Mark("limits", panel, (-0.5, end, end, -0.5), ("linear", "linear")),
            Mark("title", panel, text=f"{first.name} {first.budget}" if first.budget else first.name),
        ]
        if panel >= len(shown) - ACROSS:
            found.append(Mark("x ticks", panel, range(rows), text=places))
        if panel % ACROSS == 0:
            found.append(Mark("y ticks", panel, range(rows), text=places))
    zero = {g.dataset: g.mean for g in study.groups("R1") if g.label == "zero_shot"}
    said = [
        "Rank-1 (%), rows: trained on, columns: measured on",
        "* one seed, or not all seeds have a score" * star,
        "zero-shot: " + ", ".join(f"{NAMES[place]} {zero[place]:.1f}" for place in PLACES),
    ]
    return [*found, common.note(said)]
