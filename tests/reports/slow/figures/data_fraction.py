"""Accuracy against the amount of training data."""

from __future__ import annotations

from collections import Counter

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import GREY, NAMES, PLACES
from tests.reports.slow.study import Study


def wanted(study: Study) -> list[Mark]:
    every = study.groups("R1")
    trained = [g for g in every if g.fraction is not None]
    scored = Counter((g.label, g.dataset) for g in trained if g.scores)
    trained = [g for g in trained if scored[g.label, g.dataset] > 1]
    labels = list(dict.fromkeys(g.label for g in trained))
    amounts = sorted({100 * g.fraction for g in trained})
    found = []
    for panel, place in enumerate(PLACES):
        here = [g for g in trained if g.dataset == place]
        (zero,) = (g for g in every if (g.label, g.dataset) == ("zero_shot", place))
        low, high = bounds = common.percent_limits(here)
        own = [label for label in labels if scored[label, place] > 1]
        for k, label in enumerate(own):
            shift = common.beside(k, len(own), 0.6)
            curve = sorted((g for g in here if g.label == label), key=lambda g: g.fraction)
            joined = [(100 * g.fraction, g.mean) for g in curve if g.scores]
            found.append(Mark("line", panel, joined, names.line(label), shift=(shift, 0)))
            for g in curve:
                x = 100 * g.fraction
                alone = common.point(panel, x, g, bounds, shift) if g.scores else []
                found += alone or [common.absent(panel, x, g, shift)]
        below = zero.mean < low
        if not below:
            found.append(Mark("line", panel, (0, zero.mean, 1, zero.mean), names.plain(*_zero()), space="y"))
        y = 0.02 if below else (zero.mean - low) / (high - low)
        text = f"Zero-shot {zero.mean:.1f}" + " ↓" * below
        across = (amounts[0] / 1.35, amounts[-1] * 1.35)
        found += [
            common.words(panel, text, 0.985, y, GREY, "axes"),
            Mark("limits", panel, (*across, low, high), ("log", "linear")),
            Mark("title", panel, text=NAMES[place]),
            Mark("y label", panel, text="Rank-1 (%)"),
        ]
    found.append(Mark("x label", len(PLACES) - 1, text="Training captions used (%)"))
    best = sorted(labels, key=lambda label: -max(g.mean for g in trained if g.label == label and g.scores))
    found += common.legend([(f"{NAMES[label]} {_budget(study, label)}", names.entry(label)) for label in best])
    drawn = [g for place in PLACES for g in trained if g.dataset == place]
    return [*found, common.note([*common.signs(drawn), *common.gaps(drawn)])]


def _zero() -> tuple[str, tuple]:
    colour, _, dash = names.LOOKS["zero_shot"]
    return colour, dash


def _budget(study: Study, label: str) -> str:
    (budget,) = {t["budget"] for t in study.declared if t["label"].split(" ")[0] == label}
    return budget
