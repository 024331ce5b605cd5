"""Rank-1 on val after each epoch."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import ANY, Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES, PLACES
from tests.reports.slow.study import Study


def wanted(study: Study) -> list[Mark]:
    seen: dict[str, list[dict]] = {}
    for row in study.history:
        seen.setdefault(row["id"], []).append(row)
    found, shown = [], {}
    for panel, place in enumerate(PLACES):
        for g in common.largest(g for g in study.groups("R1") if g.dataset == place and g.of("trained") != 0):
            by_epoch: dict[int, list[float]] = {}
            for ident in g.ids.values():
                for row in seen.get(ident, []):
                    by_epoch.setdefault(row["epoch"], []).append(row["val_R1"])
            epochs = sorted(by_epoch)
            if not epochs:
                continue
            means = [(e, sum(by_epoch[e]) / len(by_epoch[e])) for e in epochs]
            colour, marker, dash = LOOKS[g.label]
            found += [
                Mark("band", panel, [(e, min(by_epoch[e]), max(by_epoch[e])) for e in epochs], (colour, 0.18)),
                Mark("line", panel, means, (colour, dash, marker, colour, None)),
            ]
            shown[g.label] = f"{g.name} {g.budget}" if g.budget else g.name
        found += [
            Mark("limits", panel, [ANY] * 4, ("linear", "linear")),
            Mark("y label", panel, text="Val Rank-1 (%)"),
            common.words(panel, NAMES[place], 0.985, 0.03, space="axes"),
        ]
    found.append(Mark("x label", len(PLACES) - 1, text="Epoch"))
    found += common.legend([(name, names.entry(label)) for label, name in shown.items()])
    return [*found, common.note(["line: mean over seeds; band: from the lowest to the highest seed"])]
