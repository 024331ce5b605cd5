"""How accurate is each method for the operations, the memory and the time that it takes?

Rank-1 against the measured cost of training (medians over seeds), one panel per cost, for one dataset; points on grey
are those that nothing cheaper beats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.cells import Cell, cells, home, leading, places
from reports.drawing import artists, palette, style
from reports.figures.budget_curve import pareto
from reports.words.sentences import gaps

if TYPE_CHECKING:
    from harness.store.store import Results

WIDE = 3  # costliest over cheapest; a linear axis would push the cheap methods into its first third

# axis title, how to get the cost of a cell
COSTS = {
    "operations": ("Training operations per pair (GFLOPs)", lambda c: _sum(c, "flops_forward", "flops_backward", 1e9)),
    "memory": ("Peak memory of training (MiB)", lambda c: _sum(c, "peak_memory_train", None, 2**20)),
    "step": ("One training step (ms)", lambda c: _sum(c, "step_seconds", None, 1e-3)),
}


def applies(results: Results) -> bool:
    """Whether a cost was measured for more than one cell that has a score."""
    return bool(_measured(home(cells(results))))


def draw(results: Results, preset: str = "cvpr", metric: str = "R1", dataset: str | None = None) -> Figure:
    """One panel per measured cost; `dataset` None takes the first one."""
    with style.use(preset) as p:
        every, more = leading(home(cells(results, metric)))
        place = dataset or places(every)[0]
        here = [c for c in every if c.dataset == place]
        costs = _measured(here) or _measured(every)
        looks = palette.looks(c.key for c in every)
        figure, ((*row,),) = artists.panels(preset, len(costs), 1.5 if p.columns == 1 else 2.1, share=False)
        bounds = artists.limits(c for c in here if c.trained != 0)
        numbers: list[dict] = []
        for axes, cost in zip(row, costs, strict=True):
            title, of = COSTS[cost]
            axes.grid(axis="y")
            points = [(x, c) for c in here if c.values and c.trained != 0 and (x := of(c)) is not None]
            front = pareto([(x, c.score) for x, c in points])
            for key in dict.fromkeys(c.key for _, c in points):
                curve = sorted((pair for pair in points if pair[1].key == key), key=lambda pair: pair[1].trained or 0)
                xs, ys = [x for x, _ in curve], [c.score for _, c in curve]
                axes.plot(xs, ys, color=looks[key].colour, ls=looks[key].dash, lw=0.8 * p.line, alpha=0.45, zorder=2)
            for x, c in points:
                gid = f"point-{len(numbers)}"
                best = (x, c.mean) in front
                if best:
                    axes.plot([x], [c.score], "o", color="#DADADA", ms=2.2 * p.marker, mew=0, zorder=1)
                artists.point(axes, x, c, looks[c.key], gid, 0.0, bounds)
                line = f"{artists.tip(c, metric)}\n{title}: {x:,.1f}"
                numbers.append(
                    {**artists.rows_of([c], metric)[0], "cost": cost, "x": x, "pareto": best, "gid": gid, "tip": line}
                )
            axes.set_ylim(*bounds)
            axes.margins(x=0.08)
            sizes = [x for x, _ in points]
            if min(sizes, default=0) > 0 and max(sizes) > WIDE * min(sizes):
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(title)
            if style.first_column(axes):
                axes.set_ylabel(f"{palette.name(metric)} (%)")
        names = {c.key: c.series for c in here if c.values and c.trained != 0}
        artists.legend(figure, [*(artists.handle(looks[k], n) for k, n in names.items()), artists.PARETO])
        left = [n for n in COSTS if n not in costs]
        said = [f"{palette.name(place)}", more, f"not measured: {', '.join(left)}" if left else ""]
        artists.note(figure, [*said, *artists.signs(c for c in here if c.values), *gaps(here)])
    return style.keep(figure, pd.DataFrame(numbers))


def _measured(found: list[Cell]) -> list[str]:
    """The costs known for two cells or more, and not the same for all of them."""
    known = {cost: {of(c) for c in found if c.values and c.trained != 0} - {None} for cost, (_, of) in COSTS.items()}
    return [cost for cost, values in known.items() if len(values) > 1]


def _sum(c: Cell, first: str, second: str | None, scale: float) -> float | None:
    parts = [c.costs[key] for key in (first, second) if key]
    return None if any(part is None for part in parts) else sum(parts) / scale
