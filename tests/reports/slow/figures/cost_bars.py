"""Costs of each method at its largest budget, as stacked bars."""

from __future__ import annotations

from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES, PLACES
from tests.reports.slow.study import Study

PANELS = (
    ("Operations per pair (GFLOPs) forward plain, backward hatched", ("flops_forward", "flops_backward"), 1e9),
    ("Peak memory of training (MiB)", ("peak_memory_train",), 2**20),
    ("Time of the trial (s) steps plain, data hatched, evaluation pale",
     ("seconds_train", "seconds_data", "seconds_evaluate"), 1),
    ("Stored (MiB)", ("adapter_bytes",), 2**20),
)  # fmt: skip
PHASES = {"seconds_train": "steps", "seconds_data": "data", "seconds_evaluate": "evaluation"}
SIGNS = ((1.0, None), (0.55, "////"), (0.25, "\\\\\\\\"))


def wanted(study: Study) -> list[Mark]:
    here = common.largest(g for g in study.groups("R1") if g.dataset == PLACES[0])
    names = [f"{g.name} {g.budget}" if g.budget else g.name for g in here]
    found = []
    for panel, (title, columns, unit) in enumerate(PANELS):
        whole = [sum(g.of(c) or 0 for c in columns) / unit for g in here]
        for k, g in enumerate(here):
            left = 0.0
            for column, (alpha, hatch) in zip(columns, SIGNS, strict=False):
                value = (g.of(column) or 0) / unit
                look = (LOOKS[g.label][0], alpha, hatch, "none", "")
                found.append(Mark("bar", panel, (left, k - 0.33, value, 0.66), look))
                left += value
            text = f"{whole[k]:,.0f}" if max(whole) >= 20 else f"{whole[k]:.2f}"
            absent = [c for c in columns if g.of(c) is None]
            if absent:
                phases = [] if len(absent) == len(columns) else [", ".join(PHASES[c] for c in absent)]
                text = " ".join([*phases, "not measured"])
            found.append(common.words(panel, text, whole[k], k))
        found += [
            Mark("limits", panel, (0, 1.2 * max(whole), len(here) - 0.4, -0.6), ("linear", "linear")),
            Mark("y ticks", panel, range(len(here)), text=" | ".join(names)),
            Mark("x label", panel, text=title),
        ]
    hardware = sorted({t["hardware"] for t in study.trials})
    return [*found, common.note([NAMES[PLACES[0]], "medians over seeds", f"measured on {', '.join(hardware)}"])]
