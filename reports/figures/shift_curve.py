"""How fast does each method lose as a shift gets stronger?

MMI, the relative drop of Rank-1 in percent, against the severity: mean over the shifts of a kind, one panel per kind,
for one dataset and each method at its largest budget. Of content edits, which make another query, the panel shows how
often the right image is still first. Bands are 95 % intervals for other seeds and identities, each method paired with
itself without a shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from reports.drawing import artists, palette, style
from reports.robustness.drops import Robustness, Under, best_at_each, marked, numbers_of, over, quantity, robustness
from reports.robustness.shifts import KINDS
from reports.statistics import Interval

if TYPE_CHECKING:
    from harness.store.store import Results

MOST = 6  # methods with a budget; more bands hide each other


def applies(results: Results) -> bool:
    """Whether all shifts of a kind share two severities."""
    return any(_kinds(one) for one in robustness(results))


def draw(results: Results, preset: str = "cvpr", metric: str = "R1", dataset: str | None = None) -> Figure:
    """The curves of one data set; `dataset` None takes the first one."""
    with style.use(preset) as p:
        every = [one for one in robustness(results, metric) if _kinds(one)]
        one = next((one for one in every if one.place == dataset), every[0])
        under, more = best_at_each(one, MOST)
        kinds = _kinds(one)
        looks = palette.looks(u.cell.key for u in under)
        figure, ((*row,),) = artists.panels(preset, len(kinds), 1.5 if p.columns == 1 else 2.0, share=False)
        numbers: list[dict] = []
        for axes, kind in zip(row, kinds, strict=True):
            axes.grid(axis="y")
            reach: list[float] = []
            for u in under:
                look, curve = looks[u.cell.key], points(one, u, kind)
                xs = [x for x, _ in curve]
                banded = [(x, interval.ends) for x, interval in curve if interval.ends is not None]
                if banded:
                    low, high = [ends[0] for _, ends in banded], [ends[1] for _, ends in banded]
                    axes.fill_between([x for x, _ in banded], low, high, color=look.colour, alpha=0.15, lw=0)
                    reach += [*low, *high]
                axes.plot(xs, [i.mean for _, i in curve], color=look.colour, ls=look.dash, lw=p.line)
                reach += [i.mean for _, i in curve]
                for x, interval in curve:
                    gid = f"point-{len(numbers)}"
                    artists.dot(axes, x, interval.mean, look, u.status).set_gid(gid)
                    numbers.append(_number(one, u, kind, x, interval) | {"gid": gid})
            common = one.common(one.shifts(kind))
            axes.set_xlim(common[0] - 0.25, common[-1] + 0.25)
            pad = 0.06 * (max(reach) - min(reach)) or 1.0
            axes.set_ylim(min(reach) - pad, max(reach) + pad)
            if min(reach) - pad < 0 < max(reach) + pad:
                axes.axhline(0, color="black", lw=0.6 * p.line, zorder=1.2)
            axes.set_xticks(common)
            axes.set_ylabel("Still first (%)" if kind == "content" else "MMI (%)")
            axes.set_title(_title(one, kind))
            if p.columns > 1 or axes is row[-1]:
                axes.set_xlabel("Severity")
        names = {u.cell.key: u.name for u in under}
        artists.legend(figure, [artists.handle(looks[key], name) for key, name in names.items()])
        said = [
            f"MMI: relative drop of {palette.name(metric)}, below zero a rise",
            "bands: 95 % intervals for other seeds and identities, paired",
            *marked(u.status for u in under),
        ]
        artists.note(figure, [palette.name(one.place), more, *said])
    return style.keep(figure, pd.DataFrame(numbers))


def _kinds(one: Robustness) -> list[str]:
    return [kind for kind in KINDS if len(one.common(one.shifts(kind))) > 1]


def points(one: Robustness, u: Under, kind: str) -> list[tuple[int, Interval]]:
    """(severity, mean over the shifts of a kind) at each severity that all of them have."""
    shifts = one.shifts(kind)
    found = [(severity, over(u.effect, one.at(shifts, severity))) for severity in one.common(shifts)]
    return [(severity, sample.interval()) for severity, sample in found if sample is not None]


def _title(one: Robustness, kind: str) -> str:
    shifts = one.shifts(kind)
    words = {"content": "Content edits"}.get(kind, kind.capitalize())
    which = shifts[0].replace("_", " ") if len(shifts) == 1 else f"mean of {len(shifts)} shifts"
    return f"{words}: {which}"


def _number(one: Robustness, u: Under, kind: str, severity: int, interval: Interval) -> dict:
    half = "" if interval.half is None else f" ± {interval.half:.2f}"
    tip = f"{u.name}, {kind}, severity {severity}\n{quantity(kind)} {interval.mean:.2f}{half} %"
    return {**numbers_of(u, one.place, kind, {"severity": severity}, interval), "tip": tip}
