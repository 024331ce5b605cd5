"""Relative drops against trained parameters."""

from __future__ import annotations

from types import SimpleNamespace

from tests.reports.slow import names, shifts
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.study import Study


def wanted(study: Study) -> list[Mark]:
    groups = [g for g in study.groups("R1") if g.dataset in PLACES[:2]]
    across = min(g.size for g in groups if g.size) / 1.7, max(g.size for g in groups) * 1.7
    found, cut, crossed, seen = [], False, False, []
    panel = 0
    for place in PLACES[:2]:
        every = shifts.lines(study, place)
        seen += every
        for kind in ("images", "texts"):
            told = {}
            for one in every:
                numbers = shifts.over(study, every, one, "mmi", shifts.KINDS[kind])
                if numbers is not None:
                    told[one.group.label, one.group.budget] = one, shifts.told(numbers, shifts.PEOPLE[place])[0]
            means = [m.mean for _, m in told.values()]
            reach = 0.6 * max(max(means) - min(means), 2)
            ends = [(m.mean - m.half, m.mean + m.half) for _, m in told.values() if m.half is not None]
            low = min(*means, *(max(a, min(means) - reach) for a, _ in ends))
            high = max(*means, *(min(b, max(means) + reach) for _, b in ends))
            pad = max(0.06 * (high - low), 0.5)
            low, high = low - pad, high + pad
            cut |= any(a < low or b > high for a, b in ends)
            if low < 0 < high:
                found.append(Mark("line", panel, (0, 0, 1, 0), names.plain("#000000"), space="y"))
            here = [g for g in groups if g.dataset == place]
            labels = list(dict.fromkeys(g.label for g in here if g.budget))
            for label in dict.fromkeys(g.label for g in here):
                shift = common.beside(labels.index(label), len(labels), 0.75) if label in labels else 0.0
                curve = sorted((g for g in here if g.label == label), key=lambda g: g.size)
                joined = [(g.size, told[label, g.budget][1].mean) for g in curve if (label, g.budget) in told]
                if len(joined) > 1:
                    found.append(Mark("line", panel, joined, names.line(label), shift=(shift, 0)))
                for g in curve:
                    if (label, g.budget) not in told:
                        found.append(common.absent(panel, g.size, g, shift))
                        crossed = True
                        continue
                    one, mean = told[label, g.budget]
                    if label == "zero_shot":
                        found.append(Mark("line", panel, (0, mean.mean, 1, mean.mean), names.line(label), space="y"))
                        continue
                    shown = SimpleNamespace(label=label, interval=mean, mean=mean.mean, status=one.status)
                    found += common.point(panel, g.size, shown, (low, high), shift)
            found += [
                Mark("limits", panel, (*across, low, high), ("log", "linear")),
                Mark("title", panel, text=f"{NAMES[place]}, {kind}"),
                Mark("y label", panel, text="MMI (%)"),
            ]
            panel += 1
    found.append(Mark("x label", panel - 1, text="Trained parameters"))
    scored = dict.fromkeys(g.label for g in groups if g.scores)
    found += common.legend([(NAMES[label], names.entry(label)) for label in scored])
    said = [
        "MMI: relative drop of Rank-1, mean over severities and shifts; below zero a rise",
        "an arrowhead: the interval goes on" * cut,
        *shifts.marked(seen),
        "×: no score" * crossed,
        *common.gaps([g for g in groups if g.status != "single"]),
    ]
    return [*found, common.note(said)]
