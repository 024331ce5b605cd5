"""Accuracy against the learning rate, and which rate val chooses."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES, PLACES
from tests.reports.slow.study import Group, Study

WIDE = 10 ** (1 / 6)  # of a band to either side: a sixth of the step between two rates, which is tenfold


def wanted(study: Study) -> list[Mark]:
    found, seen = [], []
    chosen: dict[float, list[str]] = {}
    for label, some in _curves(study, "R1", "val").items():
        best = max((g for g in some if g.scores), key=lambda g: g.mean)
        chosen.setdefault(best.lr, []).append(label)
    for panel, metric in enumerate(("R1", "mAP")):
        curves = _curves(study, metric)
        every = [g for some in curves.values() for g in some]
        rates = sorted({g.lr for g in every})
        bounds = common.percent_limits(every)
        for k, (label, some) in enumerate(curves.items()):
            shift = common.beside(k, len(curves), 0.8)
            joined = [(g.lr, g.mean) for g in some if g.scores]
            found.append(Mark("line", panel, joined, names.line(label), shift=(shift, 0)))
            for g in some:
                alone = common.point(panel, g.lr, g, bounds, shift) if g.scores else []
                found += alone or [common.absent(panel, g.lr, g, shift)]
        for rate, labels in chosen.items():
            found += _band(panel, rate, labels, len(chosen))
        across = (rates[0] / 10**0.3, rates[-1] * 10**0.3)
        found += [
            Mark("limits", panel, (*across, *bounds), ("log", "linear")),
            Mark("x label", panel, text="lr"),
            Mark("y label", panel, text=f"{NAMES.get(metric, metric)} (%)"),
        ]
        seen += every
    order = _curves(study, "R1")
    found += common.legend([(f"{NAMES[m]} {some[0].budget}", names.entry(m)) for m, some in order.items()])
    band = "band: chosen on val, by the method of its colour or by all"
    return [*found, common.note([NAMES[PLACES[0]], band, *common.signs(seen)])]


def _curves(study: Study, metric: str, split: str = "test") -> dict[str, list[Group]]:
    """Each method's groups on the first data set at its largest budget, by rising rate; the highest method first."""
    here = [g for g in study.groups(metric, split=split) if g.dataset == PLACES[0]]
    made = {}
    for label in dict.fromkeys(g.label for g in here):
        own = [g for g in here if g.label == label]
        target = max(g.of("budget_parameters") for g in own)
        made[label] = sorted((g for g in own if g.of("budget_parameters") == target), key=lambda g: g.lr)
    return dict(sorted(made.items(), key=lambda item: -max(g.mean for g in item[1] if g.scores)))


def _band(panel: int, rate: float, labels: list[str], choices: int) -> list[Mark]:
    """The band of a rate in parts of equal width on the logarithmic axis, one for each method that chose it."""
    edges = [rate * WIDE ** (2 * k / len(labels) - 1) for k in range(len(labels) + 1)]
    looks = [(LOOKS[m][0], 0.2) if choices > 1 else ("#ebebeb", None) for m in labels]
    return [
        Mark("bar", panel, (a, 0, b - a, 1), (*look, None, "none", ""), space="x")
        for a, b, look in zip(edges, edges[1:], looks, strict=False)
    ]
