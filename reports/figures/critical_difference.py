"""Which methods differ when all datasets and seeds are taken together?

Mean ranks (1 is best) over dataset x seed x budget, with Nemenyi's critical difference at 5 %: methods that a bar joins
cannot be told apart. Demsar, JMLR 7 (2006).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.cells import Cell, cells, home, leading
from reports.drawing import artists, palette, style
from reports.statistics import Ranking, rank

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether three methods or more share two tasks or more."""
    return ranking(home(cells(results)))[0] is not None


def ranking(found: list[Cell]) -> tuple[Ranking | None, list[str], int]:
    """The ranking of the methods that are run at budgets, the methods left out, and the tasks declared.

    A task is a dataset, a budget and a seed. A task in which a method has no score is left out, and so is a method
    that has a score in fewer than half of the tasks.
    """
    scores: dict[tuple, dict[str, float]] = {}
    keys = list(dict.fromkeys(c.key for c in found if c.budget and c.values))
    for c in found:
        if c.budget:
            for seed, value in zip(c.seeds, c.values, strict=True):
                scores.setdefault((c.dataset, c.budget, seed), {})[c.key] = value
    kept = [k for k in keys if sum(k in row for row in scores.values()) * 2 > len(scores)]
    whole = [[row[k] for k in kept] for row in scores.values() if all(k in row for k in kept)]
    left = [k for k in keys if k not in kept]
    if len(kept) < 3 or len(whole) < 2:
        return None, left, len(scores)
    return rank(np.array(whole), kept), left, len(scores)


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """The diagram."""
    with style.use(preset) as p:
        found, more = leading(home(cells(results, metric)), 20)
        made, left, declared = ranking(found)
        if made is None:
            raise ValueError("too few methods or tasks for ranks; ask `applies` first")
        series = {c.key: c.series for c in found}
        looks = palette.looks(series)
        n, scale = len(made.names), p.size / 8
        figure = style.figure(preset, (0.85 + 0.1 * len(made.groups) + 0.16 * ((n + 1) // 2)) * scale)
        axes = figure.subplots()
        axes.set_axis_off()
        low, high = 1, max(n, 2)
        span = high - low
        axes.set_xlim(high + 0.42 * span, low - 0.42 * span)
        depth = 2.2 + 0.7 * len(made.groups) + 1.15 * ((n + 1) // 2)
        axes.set_ylim(-depth, 2.6)
        axes.plot([low, high], [0, 0], "-", color="black", lw=0.8 * p.line)
        for tick in range(low, high + 1):
            axes.plot([tick, tick], [0, 0.28], "-", color="black", lw=0.8 * p.line)
            axes.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=p.small)
        gap = made.difference
        axes.plot([low, low + gap], [1.9, 1.9], "|-", color="black", lw=0.8 * p.line, ms=p.marker, mew=0.8 * p.line)
        axes.text(low + gap / 2, 2.05, f"critical difference {gap:.2f}", ha="center", va="bottom", fontsize=p.small)
        at = dict(zip(made.names, made.ranks, strict=True))
        for k, group in enumerate(made.groups):
            y = -0.7 - 0.7 * k
            ends = [at[group[0]] - 0.04, at[group[-1]] + 0.04]
            axes.plot(ends, [y, y], "-", color="#606060", lw=2.6 * p.line, solid_capstyle="butt")
        numbers = []
        for i, (key, mean) in enumerate(at.items()):
            left_side = i >= (n + 1) // 2
            place = n - 1 - i if left_side else i
            y = -1.4 - 0.7 * len(made.groups) - 1.15 * place
            edge = high + 0.06 * span if left_side else low - 0.06 * span
            axes.plot([mean, mean, edge], [0, y, y], "-", color=looks[key].colour, lw=0.8 * p.line)
            marker = axes.plot([mean], [0], looks[key].marker, color=looks[key].colour, mew=0)[0]
            marker.set_gid(f"point-{i}")
            words = f"{series[key]} {mean:.2f}"
            axes.annotate(
                words, (edge, y), ((-2 if left_side else 2) * scale, 0), textcoords="offset points", va="center",
                ha="right" if left_side else "left", fontsize=p.small,
            )  # fmt: skip
            numbers.append(
                {
                    "label": key,
                    "mean_rank": mean,
                    "tasks": made.tasks,
                    "critical_difference": gap,
                    "friedman_p": made.p,
                    "gid": f"point-{i}",
                    "tip": f"{series[key]}\nmean rank {mean:.2f}",
                }
            )
        p_text = "p < 0.001" if made.p < 0.001 else f"p = {made.p:.3f}"
        artists.note(
            figure,
            [
                more,
                f"{palette.name(metric)}; {made.tasks} of {declared} tasks (dataset × budget × seed), those in which "
                f"all have a score; Friedman {p_text}",
                f"left out, too few scores: {', '.join(series[k] for k in left)}" if left else "",
            ],
        )
    return style.keep(figure, pd.DataFrame(numbers))
