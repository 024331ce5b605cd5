"""How accurate is each method for a given number of trained parameters?

Accuracy against *achieved* trained parameters (logarithmic), one panel per dataset; markers are means over seeds, bars
their 95 % intervals over seeds, drawn a few points apart where budgets coincide. Full fine-tuning stands at its own
parameter count, zero-shot is a line. Points on grey are those that nothing smaller beats (Pareto front of the means).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from reports.cells import Cell, cells, home, leading, places
from reports.drawing import artists, palette, style
from reports.drawing.labels import label
from reports.drawing.palette import GREY, Look
from reports.drawing.style import Sheet
from reports.untrained import named, untrained
from reports.words.sentences import gaps

if TYPE_CHECKING:
    from harness.store.store import Results

# Where the name of a panel may stand, as in `label`.
NAMES = [
    (x, y, side, up)
    for y, up in ((0.02, "bottom"), (0.98, "top"), (0.14, "bottom"), (0.5, "bottom"))
    for x, side in ((0.985, "right"), (0.5, "center"), (0.015, "left"), (0.75, "center"), (0.25, "center"))
]

Labels = list[tuple[str, Sequence[tuple[float, float, str, str]], dict[str, Any]]]  # words, where they may stand, look


def applies(results: Results) -> bool:
    """Whether the study has scores of methods with trained parameters at a budget."""
    trials = results.trials
    return bool((trials["budget"].notna() & (trials["status"] == "ok")).any())


def draw(results: Results, preset: str = "cvpr", metrics: Sequence[str] = ("R1",)) -> Figure:
    """The budget curve; several `metrics` (R1, mAP, ...) make one row of panels each."""
    with style.use(preset):
        every, more = leading(home(cells(results, metrics[0])))
        kept = {c.key for c in every}
        by_metric = {m: [c for c in home(cells(results, m)) if c.key in kept] for m in metrics}
        where = places(every)
        figure, grid = artists.panels(
            preset, len(where), 1.62 if style.preset(preset).columns == 1 else 2.1, len(metrics)
        )
        looks = palette.looks(c.key for c in every)
        base = backbone_parameters(every)
        numbers: list[dict] = []
        xs = [c.size for c in every if c.size]
        labels: list[tuple[Axes, Labels, list[tuple]]] = []
        for row, metric in zip(grid, metrics, strict=True):
            for axes, place in zip(row, where, strict=True):
                axes.set(xscale="log", xlim=(min(xs) / 1.7, max(xs) * 1.7))
                here = [c for c in by_metric[metric] if c.dataset == place]
                wanted, busy = _panel(axes, here, looks, metric, numbers)
                labels.append((axes, [*wanted, (palette.name(place), NAMES, {"weight": "bold"})], busy))
        _axes(figure, grid, metrics, base)
        names = {c.key: c.series for c in every if c.budget}
        entries = [artists.handle(looks[key], name) for key, name in names.items()]
        artists.legend(figure, [*entries, artists.PARETO])
        artists.note(figure, [more, *artists.signs(every), *gaps(every)])
        style.settle(figure)
        for axes, wanted, busy in labels:
            for words, spots, look in wanted:
                busy += label(axes, words, spots, busy, **look)
    return style.keep(figure, pd.DataFrame(numbers))


def backbone_parameters(found: Sequence[Cell]) -> int | None:
    """Parameters of the frozen backbone: what full fine-tuning trains, or else what is left without the method's."""
    exact = [c.total for c in found if c.total and c.trained in (0, c.total)]
    added = [c.total - c.trained for c in found if c.total and c.trained is not None]
    return max(exact or added, default=None)


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, score) that no cheaper or equally cheap point beats, by rising cost."""
    best, front = float("-inf"), []
    for cost, score in sorted(points, key=lambda p: (p[0], -p[1])):
        if score > best:
            best = score
            front.append((cost, score))
    return front


def _panel(
    axes: Axes, here: list[Cell], looks: dict, metric: str, numbers: list[dict]
) -> tuple[Labels, list[tuple[float, float]]]:
    """All curves of one dataset; returns its labels, and points that they should not cover."""
    p = style.preset(style.sheet(axes).upbench_preset)
    axes.grid(axis="y")
    curves: dict[str, list[Cell]] = {}
    for c in here:
        if c.budget:
            curves.setdefault(c.key, []).append(c)
    points = [c for c in here if c.trained]
    low, high = artists.limits([c for c in points if c.values])
    zeros = [(name, c, c.score < low - 0.25 * (high - low)) for name, at in named(untrained(here)) for c in at.values()]
    low = min([low, *(c.score - 0.06 * (high - low) for _, c, below in zeros if not below)])
    axes.set_ylim(max(low, 0), high)
    bounds = axes.get_ylim()
    front = pareto([(c.size, c.score) for c in points if c.values])
    busy: list[tuple[float, float]] = []
    labels: Labels = []
    for k, (key, curve) in enumerate(curves.items()):
        shift = (k - (len(curves) - 1) / 2) * 0.75 * p.marker
        curve = sorted(curve, key=lambda c: c.size)
        scored = [c for c in curve if c.values and c.trained]
        line = axes.plot(
            [c.size for c in scored],
            [c.score for c in scored],
            color=looks[key].colour,
            ls=looks[key].dash,
            lw=p.line,
            transform=artists.shifted(axes, shift),
            zorder=2,
        )[0]
        line.set_label(curve[0].series)
        for c in curve:
            _one(axes, c, looks[key], metric, numbers, shift, bounds, front)
        busy += [xy for one, two in pairwise(scored) for xy in _between(one, two)]
    busy += [(c.size, y) for c in points if c.values for y in np.linspace(*_reach(c), 9)]
    cross = bounds[0] + 0.04 * (bounds[1] - bounds[0])  # about where `artists.absent` draws
    busy += [(c.size, cross) for c in here if not c.values and c.size] * 3
    for c in here:
        if not c.budget and c.trained and c.values:
            look = looks[c.key]
            axes.axhline(c.score, color=look.colour, ls=look.dash, lw=0.6 * p.line, zorder=1.5)
            _one(axes, c, look, metric, numbers, 0.0, bounds, front)
            y = (c.score - bounds[0]) / (bounds[1] - bounds[0])
            spots = [(x, y, side, up) for up in ("bottom", "top") for x, side in ((0.015, "left"), (0.75, "center"))]
            labels.append((f"{'Full FT' if c.label == 'full' else c.series} {c.score:.1f}", spots, {}))
    for name, zero, below in zeros:
        numbers += artists.rows_of([zero], metric)
        spots = [(0.985, 0.02, "right", "bottom"), (0.015, 0.02, "left", "bottom")]
        if not below:
            axes.axhline(zero.score, color=GREY, ls=palette.DOTTED, lw=p.line)
            y = (zero.score - bounds[0]) / (bounds[1] - bounds[0])
            spots = [(0.985, y, "right", "bottom"), (0.015, y, "left", "bottom")]
        labels.append((f"{name} {zero.score:.1f}" + " ↓" * below, spots, {"color": GREY}))
    out = [zero for _, zero, below in zeros if below]
    lines = [c.score for c in here if not c.budget and c.values and not any(c is zero for zero in out)]
    return labels, busy + [(x, y) for y in lines for x in np.geomspace(*axes.get_xlim(), 25).tolist()]


def _reach(c: Cell) -> tuple[float, float]:
    return c.known.ends or (c.score, c.score)


def _between(one: Cell, two: Cell) -> list[tuple[float, float]]:
    """Points on the line that joins two cells on a logarithmic axis."""
    x = np.geomspace(one.size, two.size, 12)
    return list(zip(x.tolist(), np.linspace(one.score, two.score, 12).tolist(), strict=True))


def _one(
    axes: Axes, c: Cell, look: Look, metric: str, numbers: list[dict], shift: float, bounds: tuple, front: list
) -> None:
    gid = f"point-{len(numbers)}"
    x = c.size
    best = bool(c.values) and (c.trained, c.mean) in front
    if best:
        p = style.preset(style.sheet(axes).upbench_preset)
        axes.plot(
            [x],
            [c.score],
            "o",
            color="#D0D0D0",
            ms=2.5 * p.marker,
            mew=0,
            transform=artists.shifted(axes, shift),
            zorder=1,
        )[0].set_gid(f"{gid}-pareto")
    if c.values and c.trained:
        artists.point(axes, x, c, look, gid, shift, bounds)
    elif x:
        artists.absent(axes, x, look, gid, shift)
    row = artists.rows_of([c], metric)[0]
    numbers.append({**row, "pareto": best, "gid": gid, "tip": artists.tip(c, metric)})


def _axes(figure: Sheet, grid: list[list[Axes]], metrics: Sequence[str], base: int | None) -> None:
    """Limits, ticks and names of the axes."""
    narrow = style.preset(figure.upbench_preset).columns == 1
    for row, metric in zip(grid, metrics, strict=True):
        for k, axes in enumerate(row):
            artists.parameter_axis(axes, metric == metrics[-1] and (not narrow or k == len(row) - 1))
            axes.label_outer()
            axes.tick_params(labelleft=True)
            if narrow or k == 0:
                axes.set_ylabel(f"{palette.name(metric)} (%)")
            if base and metric == metrics[0] and (not narrow or k == 0):
                shares = _shares(base)
                top = axes.secondary_xaxis("top", functions=shares)
                top.xaxis.set_major_locator(artists.ticks(*map(shares[0], axes.get_xlim())))
                top.xaxis.set_major_formatter(style.PERCENTS)
                top.xaxis.set_minor_formatter(NullFormatter())
                top.set_xlabel("Trained / backbone parameters (%)")


def _shares(base: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """From parameters to percent of `base`, and back: numbers or arrays, as matplotlib gives them."""
    return lambda x: 100 * x / base, lambda s: s * base / 100
