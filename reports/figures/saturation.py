"""Where does accuracy stop growing with the number of trained parameters?

A saturation law fitted to each method's scores, with its 95 % band over the tried sizes; markers are the means over
seeds. Only methods with four sizes or more have a law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.cells import Cell, cells, home, leading, places
from reports.declared import remembered
from reports.drawing import artists, palette, style
from reports.statistics import Law, saturation

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether some method has enough sizes and seeds for a law."""
    return bool(laws(results))


@remembered
def laws(results: Results, metric: str = "R1") -> dict[tuple[str, str], tuple[Law, list[Cell]]]:
    """The law of each (dataset, series) that has one, with the cells it was fitted to, by rising size."""
    curves: dict[tuple[str, str], list[Cell]] = {}
    for c in home(cells(results, metric)):
        if c.budget and c.values and c.trained:
            curves.setdefault((c.dataset, c.key), []).append(c)
    fitted = {}
    for key, curve in curves.items():
        curve.sort(key=lambda c: c.size)
        try:
            fitted[key] = saturation([c.size for c in curve], [c.values for c in curve]), curve
        except ValueError:  # too few sizes or seeds: no law, and the figure says which methods have one
            continue
    return fitted


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """Points, laws and bands, one panel per dataset."""
    with style.use(preset) as p:
        every, more = leading(home(cells(results, metric)))
        shown = {c.key for c in every}
        fitted = {key: pair for key, pair in laws(results, metric).items() if key[1] in shown}
        where = [place for place in places(every) if any(d == place for d, _ in fitted)]
        looks = palette.looks(c.key for c in every)
        figure, ((*row,),) = artists.panels(preset, len(where), 1.62 if p.columns == 1 else 2.1)
        numbers: list[dict] = []
        for axes, place in zip(row, where, strict=True):
            axes.grid(axis="y")
            here = {key: pair for (d, key), pair in fitted.items() if d == place}
            bounds = artists.limits(c for _, curve in here.values() for c in curve)
            for key, (law, curve) in here.items():
                look = looks[key]
                x = np.geomspace(law.smallest, law.largest, 100)
                low, high = law.band(x)
                axes.fill_between(x, low, high, color=look.colour, alpha=0.15, lw=0)
                axes.plot(x, law.at(x), color=look.colour, ls=look.dash, label=curve[0].series)
                for c in curve:
                    gid = f"point-{len(numbers)}"
                    axes.plot([c.trained], [c.mean], look.marker, color=look.colour, mew=0)[0].set_gid(gid)
                    fit = {"law": float(law.at([c.trained])[0]), "ceiling": law.ceiling, "rate": law.rate}
                    numbers.append(
                        {**artists.rows_of([c], metric)[0], **fit, "gid": gid, "tip": artists.tip(c, metric)}
                    )
            axes.set_ylim(*bounds)
            axes.set_ylabel(f"{palette.name(metric)} (%)")
            axes.text(0.985, 0.03, palette.name(place), transform=axes.transAxes, ha="right", va="bottom")
            sizes = [c.trained for _, curve in here.values() for c in curve]
            axes.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
            artists.parameter_axis(axes, p.columns > 1 or axes is row[-1])
        names = {key: curve[0].series for (_, key), (_, curve) in fitted.items()}
        artists.legend(figure, [artists.handle(looks[key], name) for key, name in names.items()])
        without = {c.series for c in every if c.budget and c.key not in names}
        artists.note(
            figure, [more, f"no law for {', '.join(sorted(without))}: fewer than four sizes" if without else ""]
        )
    return style.keep(figure, pd.DataFrame(numbers))
