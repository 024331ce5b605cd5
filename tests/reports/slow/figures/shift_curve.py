"""Relative drops against the severity."""

from __future__ import annotations

from tests.reports.slow import names, shifts
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES, PLACES
from tests.reports.slow.study import Study

TITLES = {"images": "Images", "texts": "Texts", "content": "Content edits"}
SHARED = (1, 3)  # severities that all shifts have


def wanted(study: Study) -> list[Mark]:
    every = shifts.lines(study, PLACES[0])
    shown = shifts.largest(every)
    found = []
    for panel, (kind, members) in enumerate(shifts.KINDS.items()):
        what, reach = "still" if kind == "content" else "mmi", []
        for one in shown:
            label = one.group.label
            numbers = [(s, shifts.over(study, every, one, what, members, s)) for s in SHARED]
            curve = [(s, shifts.told(n, 60)[0]) for s, n in numbers if n is not None]
            band = [(s, m.mean - m.half, m.mean + m.half) for s, m in curve if m.half is not None]
            if band:
                found.append(Mark("band", panel, band, (LOOKS[label][0], 0.15)))
            found.append(Mark("line", panel, [(s, m.mean) for s, m in curve], names.line(label)))
            fill = common.FILLS.get(one.status, "")
            for s, m in curve:
                found.append(Mark("line", panel, (s, m.mean), names.dot(*LOOKS[label][:2], fill)))
            reach += [m.mean for _, m in curve] + [end for _, *ends in band for end in ends]
        pad = 0.06 * (max(reach) - min(reach))
        low, high = min(reach) - pad, max(reach) + pad
        if low < 0 < high:
            found.append(Mark("line", panel, (0, 0, 1, 0), names.plain("#000000"), space="y"))
        found += [
            Mark("limits", panel, (0.75, 3.25, low, high), ("linear", "linear")),
            Mark("title", panel, text=f"{TITLES[kind]}: mean of 2 shifts"),
            Mark("y label", panel, text="Still first (%)" if kind == "content" else "MMI (%)"),
        ]
    found.append(Mark("x label", 2, text="Severity"))
    found += common.legend([(one.name, names.entry(one.group.label)) for one in shown])
    said = [
        NAMES[PLACES[0]],
        "MMI: relative drop of Rank-1, below zero a rise",
        "bands: 95 % intervals for other seeds and identities, paired",
        *shifts.marked(shown),
    ]
    return [*found, common.note(said)]
