"""How do two settings act together, for instance depth and module?

Mean Rank-1 over seeds for every pair of values of two settings of the study's grid; the best cell is framed, and a cell
without a score says why. One panel per method, for the first dataset and the largest budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.cells import Cell, cells, home
from reports.declared import short, text
from reports.drawing import artists, palette, style
from reports.drawing.shades import SHADES, ink

if TYPE_CHECKING:
    from harness.store.store import Results

PALEST = -0.25  # of the range, so that the lowest value is no empty cell


def applies(results: Results) -> bool:
    """Whether two settings are crossed."""
    return bool(crossed(home(cells(results))))


def crossed(found: list[Cell]) -> dict[str, tuple[str, str, dict[tuple, Cell]]]:
    """label -> the two settings with the most values, and the cells by their values (first dataset, largest budget)."""
    made: dict[tuple, list[Cell]] = {}
    for c in found:
        if len(c.variant) > 1:
            made.setdefault((c.label, c.dataset, c.budget), []).append(c)
    picked: dict[str, tuple] = {}
    for (label, _, _), some in sorted(made.items(), key=lambda item: -max(c.target or 0 for c in item[1])):
        if label in picked:
            continue
        values: dict[str, set] = {}
        for c in some:
            for key, value in c.variant:
                values.setdefault(key, set()).add(value)
        several = sorted((k for k in values if len(values[k]) > 1), key=lambda k: -len(values[k]))[:2]
        if len(several) == 2:
            one, two = several
            picked[label] = (one, two, {(dict(c.variant).get(two), dict(c.variant).get(one)): c for c in some})
    return picked


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """The heat maps."""
    with style.use(preset) as p:
        picked = crossed(home(cells(results, metric)))
        figure, ((*row,),) = artists.panels(preset, len(picked), 1.9, share=False)
        numbers: list[dict] = []
        for axes, (label, (across, up, at)) in zip(row, picked.items(), strict=True):
            xs, ys = ([*sorted({key[k] for key in at}, key=_order)] for k in (1, 0))
            means = {key: c.score for key, c in at.items() if c.values}
            low, high = min(means.values(), default=0), max(means.values(), default=1)
            shades = [[(means.get((y, x), low) - low) / ((high - low) or 1) for x in xs] for y in ys]
            axes.imshow(shades, cmap=SHADES, vmin=PALEST, vmax=1, aspect="auto")
            for i, y in enumerate(ys):
                for j, x in enumerate(xs):
                    c, gid = at.get((y, x)), f"cell-{len(numbers)}"
                    if c is None:
                        continue
                    words = f"{c.mean:.1f}" + "*" * (c.status != "ok") if c.values else "×"
                    drawn = axes.text(j, i, words, ha="center", va="center", fontsize=p.small,
                                      color=ink((shades[i][j] - PALEST) / (1 - PALEST)))  # fmt: skip
                    drawn.set_gid(gid)
                    if c.values and c.mean == high:
                        axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec="black", lw=p.line))
                    numbers.append({**artists.rows_of([c], metric)[0], across: x, up: y, "gid": gid,
                                    "tip": artists.tip(c, metric)})  # fmt: skip
            axes.set_xticks(range(len(xs)), [text(x) for x in xs])
            axes.set_yticks(range(len(ys)), [text(y) for y in ys])
            axes.tick_params(length=0)
            axes.set_xlabel(short(across))
            axes.set_ylabel(short(up))
            first = next(iter(at.values()))
            where = f"{palette.name(first.dataset)}" + (f", {first.budget}" if first.budget else "")
            axes.set_title(f"{palette.name(label)} ({where})")
        artists.note(figure, [f"{palette.name(metric)} (%)", "* one seed, or not all seeds have a score; ×: no score"])
    return style.keep(figure, pd.DataFrame(numbers))


def _order(value: object) -> tuple:
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))
