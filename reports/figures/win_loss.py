"""On which queries does one method beat the other?

For the two best methods of a dataset at its largest common budget: how the rank of the first match moves from one to
the other, query by query (median over the seeds both have). Queries on the diagonal do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.cells import Cell, cells, home, places
from reports.compare import Records, records_of
from reports.drawing import artists, palette, style
from reports.statistics import McNemar, mcnemar

if TYPE_CHECKING:
    from harness.store.store import Results

EDGES = (1, 2, 6, 11, 51, np.inf)
NAMES = ("1", "2–5", "6–10", "11–50", ">50")


def applies(results: Results) -> bool:
    """Whether two methods with per-query records share a budget."""
    return bool(len(results.queries)) and any(
        pair(home(cells(results)), place) for place in results.trials["dataset"].unique()
    )


def pair(found: list[Cell], place: str) -> tuple[Cell, Cell] | None:
    """The two best cells of the largest budget at which two methods have a score."""
    budgets: dict[tuple, list[Cell]] = {}
    for c in found:
        if c.dataset == place and c.budget and c.values:
            budgets.setdefault((c.budget, c.part), []).append(c)
    several = [some for some in budgets.values() if len(some) > 1]
    if not several:
        return None
    some = max(several, key=lambda group: max(c.target or 0 for c in group))
    best = sorted(some, key=lambda c: -c.score)
    return best[0], best[1]


def draw(results: Results, preset: str = "cvpr") -> Figure:
    """Counts of queries by the rank of their first match under both methods, one panel per dataset."""
    with style.use(preset) as p:
        found, records = home(cells(results)), records_of(results)
        pairs = {place: best for place in places(found) if (best := pair(found, place)) is not None}
        tables = {at: made for at, best in pairs.items() if (made := _counts(*best, records)) is not None}
        figure, ((*row,),) = artists.panels(preset, max(len(tables), 1), 2.0 if p.columns == 1 else 2.5, share=False)
        numbers: list[dict] = []
        notes = []
        for axes, (place, (counts, test)) in zip(row, tables.items(), strict=False):
            one, two = pairs[place]
            share = 100 * counts / counts.sum()
            axes.set(xlim=(-0.55, 4.75), ylim=(4.55, -0.55), xticks=range(5), yticks=range(5))
            axes.set_xticklabels(NAMES)
            axes.set_yticklabels(NAMES)
            axes.set_aspect("equal")
            for i in range(5):
                for j in range(5):
                    if not counts[i, j]:
                        continue
                    colour = palette.GREEN if i < j else palette.VERMILLION if i > j else "#9A9A9A"
                    gid = f"cell-{len(numbers)}"
                    side = 0.92 * np.sqrt(share[i, j] / share.max())
                    axes.add_patch(_square(j, i, side, colour, hatch="////" if i > j else None)).set_gid(gid)
                    inside = side > 0.62
                    axes.text(
                        j if inside else j + side / 2 + 0.06, i, f"{counts[i, j]}", va="center", fontsize=p.small,
                        ha="center" if inside else "left",
                        bbox={"fc": "white", "ec": "none", "pad": 0.6} if inside else None,
                    )  # fmt: skip
                    numbers.append(
                        {
                            "dataset": place,
                            "budget": one.budget,
                            "one": one.series,
                            "two": two.series,
                            "rank_one": NAMES[i],
                            "rank_two": NAMES[j],
                            "queries": int(counts[i, j]),
                            "gid": gid,
                            "tip": f"{counts[i, j]} queries ({share[i, j]:.1f} %)\n"
                            f"{one.series}: rank {NAMES[i]}\n{two.series}: rank {NAMES[j]}",
                        }
                    )
            axes.set_ylabel(f"First match, {one.series}")
            axes.set_xlabel(f"First match, {two.series}")
            axes.set_title(f"{palette.name(place)}, {one.budget}")
            better, worse = int(np.triu(counts, 1).sum()), int(np.tril(counts, -1).sum())
            p_text = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
            notes.append(
                f"{palette.name(place)}: {one.series} is in a better class on {better} queries, in a worse one on "
                f"{worse}; right alone {test.only_a} to {test.only_b}, McNemar {p_text}"
            )
        artists.note(
            figure, ["area: number of queries; plain green: the row's method is better, hatched: worse", *notes]
        )
    return style.keep(figure, pd.DataFrame(numbers))


def _square(x: float, y: float, side: float, colour: str, hatch: str | None) -> Rectangle:
    return Rectangle((x - side / 2, y - side / 2), side, side, fc=colour, ec="white", lw=0.4, hatch=hatch)


def _counts(one: Cell, two: Cell, records: Records) -> tuple[np.ndarray, McNemar] | None:
    """Queries by class of rank [5, 5] and McNemar's test on being first, from the median rank over common seeds."""
    shared = [s for s in one.seeds if s in two.seeds]
    first, second = (records.whole([c.ids[c.seeds.index(s)] for s in shared], c.measured) for c in (one, two))
    if not shared or first is None or second is None:
        return None
    if not np.array_equal(first[0].query, second[0].query):
        return None
    a, b = (np.median([f.first for f in some], axis=0) for some in (first, second))
    counts, _, _ = np.histogram2d(a, b, bins=[EDGES, EDGES])
    return counts.astype(int), mcnemar(a <= 1, b <= 1)
