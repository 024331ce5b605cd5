"""Where do time, memory and operations go?

Each method at its largest budget, relative to full fine-tuning (or to the costliest method, where that was not run);
one panel per cost, medians over seeds, first dataset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from reports.cells import Cell, cells, home, leading, places
from reports.drawing import artists, palette, style
from reports.figures.learning_curves import largest

if TYPE_CHECKING:
    from harness.store.store import Results

# title, keys that are stacked, unit, divided by
PANELS = (
    ("Operations per pair", ("flops_forward", "flops_backward"), "GFLOPs", 1e9),
    ("Peak memory of training", ("peak_memory_train",), "MiB", 2**20),
    ("Time of the trial", ("seconds_train", "seconds_data", "seconds_evaluate"), "s", 1),
    ("Stored", ("adapter_bytes",), "MiB", 2**20),
)
WORDS = {
    "flops_forward": "forward",
    "flops_backward": "backward",
    "seconds_train": "steps",
    "seconds_data": "data",
    "seconds_evaluate": "evaluation",
}
SIGNS = ("plain", "hatched", "pale")
ALPHAS, HATCHES = (1.0, 0.55, 0.25), (None, "////", "\\\\\\\\")


def applies(results: Results) -> bool:
    """Whether a cost was measured for two methods or more on the first data set."""
    found, _ = leading(home(cells(results)))
    here = largest([c for c in found if c.dataset == places(found)[0]])
    return any(sum(_known(c, keys) for c in here) > 1 for _, keys, _, _ in PANELS)


def draw(results: Results, preset: str = "cvpr") -> Figure:
    """Horizontal bars with the value written at their end; phases of one cost are stacked."""
    with style.use(preset) as p:
        every, more = leading(home(cells(results)))
        place = places(every)[0]
        here = largest([c for c in every if c.dataset == place])
        shown = [panel for panel in PANELS if sum(_known(c, panel[1]) for c in here) > 1]
        looks = palette.looks(c.key for c in every)
        figure, ((*row,),) = artists.panels(preset, len(shown), 0.42 + 0.165 * len(here), share=False)
        numbers: list[dict] = []
        for axes, (title, keys, unit, scale) in zip(row, shown, strict=True):
            top = max(sum(c.costs[k] or 0 for k in keys) for c in here) / scale
            for k, c in enumerate(here):
                left = 0.0
                for j, key in enumerate(keys):
                    value = (c.costs[key] or 0) / scale
                    gid = f"bar-{len(numbers)}"
                    bar = axes.barh(k, value, left=left, height=0.66, color=looks[c.key].colour, alpha=ALPHAS[j],
                                    hatch=HATCHES[j], ec="white", lw=0)  # fmt: skip
                    bar.patches[0].set_gid(gid)
                    left += value
                    numbers.append(
                        {"label": c.label, "budget": c.budget, "dataset": place, "cost": key, "unit": unit,
                         "value": None if c.costs[key] is None else value, "gid": gid,
                         "tip": f"{c.series}\n{title}{', ' + WORDS[key] if key in WORDS else ''}: {value:,.1f} {unit}"}
                    )  # fmt: skip
                words = _words(c, keys, f"{left:,.0f}" if top >= 20 else f"{left:.2f}")
                axes.annotate(words, (left, k), (2, 0), textcoords="offset points", va="center", fontsize=p.small)
            axes.set_xlim(0, top * 1.2)
            axes.set_ylim(len(here) - 0.4, -0.6)
            axes.set_yticks(range(len(here)), [f"{c.series} {c.budget}" if c.budget else c.series for c in here])
            axes.tick_params(axis="y", length=0)
            phases = ", ".join(f"{WORDS[k]} {sign}" for k, sign in zip(keys, SIGNS, strict=False) if k in WORDS)
            axes.set_xlabel(f"{title} ({unit})" + f"\n{phases}" * bool(phases), linespacing=1.0)
            axes.spines[["top", "right"]].set_visible(False)
            if not style.first_column(axes):
                axes.set_yticklabels([])
        hardware = sorted(set(results.trials["hardware"].dropna()))
        artists.note(
            figure,
            [palette.name(place), more, "medians over seeds", f"measured on {', '.join(hardware)}" if hardware else ""],
        )
    return style.keep(figure, pd.DataFrame(numbers))


def _words(c: Cell, keys: tuple[str, ...], whole: str) -> str:
    """What stands at the end of a bar: the whole, or which part of it was not measured."""
    absent = [key for key in keys if c.costs[key] is None]
    if not absent:
        return whole
    return "not measured" if len(absent) == len(keys) else f"{', '.join(WORDS[key] for key in absent)} not measured"


def _known(c: Cell, keys: tuple[str, ...]) -> bool:
    return all(c.costs[key] is not None for key in keys)
