"""How well does a method trained on one dataset do on the others?

Mean Rank-1 over seeds: rows are the dataset trained on, columns the one measured on; the diagonal is framed. One panel
per method, each at its largest budget.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.data.quality.overlap import between
from harness.labels import bare
from reports.cells import Cell, cells, leading, places
from reports.drawing import artists, palette, style
from reports.drawing.shades import SHADES, ink
from reports.robustness.shifts import domains
from reports.untrained import named, untrained

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether anything was measured on a dataset it was not trained on."""
    return bool(shown(domains(results, cells(results))))


def shown(found: list[Cell]) -> dict[str, list[Cell]]:
    """The cells of each series at the largest budget with a score elsewhere."""
    by: dict[str, dict[str | None, list[Cell]]] = {}
    for c in found:
        if c.trained == 0:
            continue  # nothing is trained, so there is nothing to carry over
        by.setdefault(c.key, {}).setdefault(c.budget, []).append(c)
    picked = {}
    for key, budgets in by.items():
        useful = {b: some for b, some in budgets.items() if any(c.measured != c.dataset and c.values for c in some)}
        if useful:
            picked[key] = max(useful.values(), key=lambda some: max((c.trained or 0) for c in some))
    return picked


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """Heat maps with the numbers in them; a cell without a score says so."""
    with style.use(preset) as p:
        found, more = leading(domains(results, cells(results, metric)), 8)
        picked, where = shown(found), places(found)
        homes = [w for w in where if any(c.dataset == w for some in picked.values() for c in some)]
        scale, most = p.size / 8, 2 if p.columns == 1 else 4
        down = -(-len(picked) // most)
        across = -(-len(picked) // down)
        side = (p.width - 0.75 * scale) / across
        # A column that ends early has its names below a panel of the row above.
        early = 0.45 * scale if len(picked) % across and down > 1 else 0.0
        tall = side * 0.95 * len(homes) / len(where)
        # Names of columns are slanted, and options make them long; then a sentence says what they have in common.
        longest = max(len(palette.name(w)) for w in where)
        room = 0.3 * p.size / 72 * max(0, longest - 12) + 0.3 * scale * any(bare(w) != w for w in where)
        figure = style.figure(preset, down * (tall + 0.25 * scale) + 0.7 * scale + early + room)
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        top = max(c.score for some in picked.values() for c in some if c.values)
        numbers: list[dict] = []
        for axes, some in zip(grid.flat, picked.values(), strict=False):
            at = {(c.dataset, c.measured): c for c in some}
            values = np.array([[_mean(at.get((a, b))) for b in where] for a in homes])
            axes.imshow(values, cmap=SHADES, vmin=0, vmax=top, aspect="equal")
            for i, a in enumerate(homes):
                for j, b in enumerate(where):
                    c, gid = at.get((a, b)), f"cell-{len(numbers)}"
                    words = f"{c.mean:.1f}" + "*" * (c.status != "ok") if c is not None and c.values else "–"
                    drawn = axes.text(j, i, words, ha="center", va="center", fontsize=p.small,
                                      color=ink(c.score / top if c is not None and c.values else 0.0))  # fmt: skip
                    drawn.set_gid(gid)
                    if c is not None:
                        row = artists.rows_of([c], metric)[0]
                        note = f"trained on {palette.name(a)}\n{artists.tip(c, metric)}"
                        numbers.append({**row, "gid": gid, "tip": note})
                axes.add_patch(Rectangle((where.index(a) - 0.5, i - 0.5), 1, 1, fill=False, ec="black", lw=p.line))
            axes.set_title(some[0].series + (f" {some[0].budget}" if some[0].budget else ""))
            names = [palette.name(w) for w in where]
            axes.set_xticks(range(len(where)), names, rotation=35, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(homes)), [palette.name(a) for a in homes])
            axes.tick_params(length=0)
        for unused in list(grid.flat)[len(picked) :]:
            unused.remove()
        for axes in grid.flat[max(0, len(picked) - across) : len(picked)] if down > 1 else []:
            axes.tick_params(labelbottom=True)
        zeros = [
            f"{name}: " + ", ".join(f"{palette.name(d)} {at[d].mean:.1f}" for d in where if d in at)
            for name, at in named(untrained(found))
        ]
        stars = any(c.status != "ok" for some in picked.values() for c in some)
        artists.note(
            figure,
            [
                more,
                f"{palette.name(metric)} (%), rows: trained on, columns: measured on",
                "* one seed, or not all seeds have a score" if stars else "",
                *zeros,
                *overlaps(where),
            ],
        )
    return style.keep(figure, pd.DataFrame(numbers))


def overlaps(where: list[str]) -> list[str]:
    """What is known of identities that these datasets share, by printed names: one sentence for each pair that is known
    to, and one for each dataset that stands here with several options."""
    by: dict[str, list[str]] = {}
    for label in where:
        by.setdefault(bare(label), []).append(label)
    several = [", ".join(palette.name(label) for label in some) for some in by.values() if len(some) > 1]
    pairs = [words for one, other in itertools.combinations(by, 2) if (words := between(one, other))]
    found = [re.sub(r"\w+", lambda word: palette.name(str(word[0])), words) for words in pairs]
    return found + [f"{names}: one dataset with several options, whose identities may be shared" for names in several]


def _mean(c: Cell | None) -> float:
    return np.nan if c is None or not c.values else c.score
