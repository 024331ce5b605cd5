"""Are methods with fewer trained parameters more or less robust?

MMI, the relative drop of Rank-1 under shifts in percent (mean over severities and shifts), against trained parameters
(logarithmic); one row of panels per dataset, one panel per kind of shift. Bars are 95 % intervals for other seeds and
identities; what is not trained is a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.cells import Cell, cells, home, leading
from reports.drawing import artists, palette, style
from reports.drawing.palette import Look
from reports.robustness.drops import Robustness, Under, marked, over, robustness
from reports.statistics import Interval
from reports.words.sentences import gaps

if TYPE_CHECKING:
    from harness.store.store import Results

KINDS = ("images", "texts")  # content edits have no MMI


def applies(results: Results) -> bool:
    """Whether a method with trained parameters at a budget was measured under shifts of images or texts."""
    return any(one.shifts(*KINDS) and any(u.cell.budget for u in one.under) for one in robustness(results))


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """The panels."""
    with style.use(preset) as p:
        found = [one for one in robustness(results, metric) if one.shifts(*KINDS)]
        where = {one.place for one in found}
        every, more = leading([c for c in home(cells(results, metric)) if c.dataset in where])
        kinds = [kind for kind in KINDS if any(one.shifts(kind) for one in found)]
        # Many panels above each other still have to fit a page.
        height = 1.9 if p.columns > 1 else 1.4 if len(kinds) * len(found) < 5 else 1.15
        figure, grid = artists.panels(preset, len(kinds), height, len(found))
        looks = palette.looks(c.key for c in every)
        numbers: list[dict] = []
        xs = [c.size for c in every if c.size]
        cut = False
        for row, one in zip(grid, found, strict=True):
            for axes, kind in zip(row, kinds, strict=True):
                axes.set(xscale="log", xlim=(min(xs) / 1.7, max(xs) * 1.7))
                here = [c for c in every if c.dataset == one.place]
                cut |= _panel(axes, one, kind, here, looks, metric, numbers)
                axes.set_title(f"{palette.name(one.place)}, {kind}")
                if p.columns == 1 or axes is row[0]:
                    axes.set_ylabel("MMI (%)")
                last = row is grid[-1] and (p.columns > 1 or axes is row[-1])
                artists.parameter_axis(axes, last)
        names = {c.key: c.series for c in every if c.values}
        artists.legend(figure, [artists.handle(looks[key], name) for key, name in names.items()])
        said = [
            f"MMI: relative drop of {palette.name(metric)}, mean over severities and shifts; below zero a rise",
            "an arrowhead: the interval goes on" * cut,
        ]
        signs = marked(u.status for one in found for u in one.under if any(u.cell is c for c in every))
        crosses = [artists.CROSS] * any(line["mean"] is None for line in numbers)
        artists.note(figure, [more, *said, *signs, *crosses, *gaps([c for c in every if c.status != "single"])])
    return style.keep(figure, pd.DataFrame(numbers))


def _panel(
    axes: Axes, one: Robustness, kind: str, here: list[Cell], looks: dict[str, Look], metric: str, numbers: list[dict]
) -> bool:
    """One panel; whether an interval was cut at its edge."""
    p = style.preset(style.sheet(axes).upbench_preset)
    axes.grid(axis="y")
    at = one.at(one.shifts(kind))
    by: dict[int, Under] = {id(u.cell): u for u in one.under}
    known: dict[int, Interval] = {}
    for c in here:
        sample = over(by[id(c)].effect, at) if id(c) in by else None
        if sample is not None:
            known[id(c)] = sample.interval()
    bounds = limits(list(known.values()))
    axes.set_ylim(*bounds)
    if bounds[0] < 0 < bounds[1]:
        axes.axhline(0, color="black", lw=0.6 * p.line, zorder=1.2)
    curves: dict[str, list[Cell]] = {}
    for c in here:
        curves.setdefault(c.key, []).append(c)
    keys = [key for key, some in curves.items() if some[0].budget]
    for key, curve in curves.items():
        look = looks[key]
        shift = (keys.index(key) - (len(keys) - 1) / 2) * 0.75 * p.marker if key in keys else 0.0
        curve = sorted(curve, key=lambda c: c.size)
        scored = [c for c in curve if id(c) in known and c.trained]
        if len(scored) > 1:
            ys = [known[id(c)].mean for c in scored]
            axes.plot([c.size for c in scored], ys, color=look.colour, ls=look.dash, lw=p.line,
                      transform=artists.shifted(axes, shift), zorder=2)  # fmt: skip
        for c in curve:
            gid, interval = f"point-{len(numbers)}", known.get(id(c))
            if interval is not None and c.trained == 0:
                line = axes.axhline(interval.mean, color=look.colour, ls=look.dash, lw=p.line, zorder=1.5)
                line.set_gid(gid)
            elif interval is not None:
                artists.point(axes, c.size, c, look, gid, shift, bounds, interval, by[id(c)].status)
            elif c.size:
                artists.absent(axes, c.size, look, gid, shift)
            else:
                continue
            numbers.append(_number(c, kind, interval, metric) | {"gid": gid})
    ends = [i.ends for i in known.values() if i.ends is not None]
    return any(low < bounds[0] or high > bounds[1] for low, high in ends)


def limits(found: list[Interval]) -> tuple[float, float]:
    """Limits that show all means, and intervals as far as they add no more than six tenths of the means' range."""
    means = [i.mean for i in found] or [0.0]
    reach = 0.6 * max(max(means) - min(means), 2.0)
    ends = [e for i in found if i.ends is not None for e in i.ends]
    low = min([*means, *(max(e, min(means) - reach) for e in ends)])
    high = max([*means, *(min(e, max(means) + reach) for e in ends)])
    pad = max(0.06 * (high - low), 0.5)
    return low - pad, high + pad


def _number(c: Cell, kind: str, interval: Interval | None, metric: str) -> dict:
    half = "" if interval is None or interval.half is None else f" ± {interval.half:.2f}"
    value = c.story if interval is None else f"MMI {interval.mean:.2f}{half} %"
    row = artists.rows_of([c], metric)[0]
    given = {"mean": interval.mean, "low": interval.low, "high": interval.high} if interval else {}
    return {
        **row,
        **dict.fromkeys(("mean", "low", "high")),
        **given,
        "kind": kind,
        "tip": f"{c.series}{f' at {c.budget}' if c.budget else ''}, {kind}\n{value}",
    }
