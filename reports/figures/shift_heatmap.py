"""Which shift at test time costs which method how much?

MMI, the relative drop of Rank-1 in percent (below zero: the shift raised it), mean over severities, for every shift of
images and texts and every method at its largest budget, on one dataset. The smallest drop of a row is framed, those
that cannot be told from it are framed with dashes; what is not trained has little to lose and is not compared. Content
edits make another query, so they stand apart: there it is how often the right image is still first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.drawing import artists, palette, style
from reports.drawing.shades import DIVERGING, SHADES, ink
from reports.robustness.drops import Robustness, Under, best_at_each, numbers_of, over, quantity, robustness, ties
from reports.statistics import Sample

if TYPE_CHECKING:
    from harness.store.store import Results

MOST = 6  # methods with a budget; more columns have no room for their numbers
INSET = 0.05  # of a frame, so that two beside each other are two


@dataclass(frozen=True)
class Row:
    """One shift, or the mean of several: its words, its kind, and its number for a cell."""

    words: str
    kind: str
    of: Callable[[Under], Sample | None]


def applies(results: Results) -> bool:
    """Whether anything was measured under a shift of a known kind."""
    return any(one.shifts("images", "texts", "content") for one in robustness(results))


def draw(results: Results, preset: str = "cvpr", metric: str = "R1", dataset: str | None = None) -> Figure:
    """The heat maps of one data set; `dataset` None takes the first one."""
    with style.use(preset) as p:
        every = [one for one in robustness(results, metric) if one.shifts("images", "texts", "content")]
        one = next((one for one in every if one.place == dataset), every[0])
        under, more = best_at_each(one, MOST)
        drops = [*_rows(one, "images"), *_rows(one, "texts")]
        if len({row.kind for row in drops}) > 1:
            shifts = one.at(one.shifts("images", "texts"))
            drops.append(Row("mean of all", "all", lambda u: over(u.effect, shifts)))
        blocks = [rows for rows in (drops, _rows(one, "content")) if rows]
        scale = p.size / 8
        count = sum(len(rows) for rows in blocks)
        figure = style.figure(preset, (0.165 * count + 0.28 * len(blocks) + 1.1) * scale)
        grid = figure.subplots(len(blocks), 1, squeeze=False, height_ratios=[len(rows) for rows in blocks])
        numbers: list[dict] = []
        for axes, rows in zip(grid[:, 0], blocks, strict=True):
            content = rows[0].kind == "content"
            _block(axes, rows, under, content, numbers, one.place)
            title = "Content edits: right image still first (%)" if content else f"MMI of {palette.name(metric)} (%)"
            axes.set_title(title)
            last = axes is grid[-1, 0]
            names = [u.name for u in under] if last else []
            axes.set_xticks(range(len(under)) if last else [], names, rotation=35, ha="right", rotation_mode="anchor")
        tied = any(row["tied"] for row in numbers)
        said = [
            palette.name(one.place),
            more,
            "mean over severities; MMI: relative drop, below zero a rise" if drops else "mean over severities",
            "framed: smallest drop of a row among what is trained" if any(row["best"] for row in numbers) else "",
            "dashed: cannot be told from it (paired on queries and seeds, identities resampled, Holm, 5 %)" * tied,
            "* one seed, or fewer seeds than declared" * any(u.status != "ok" for u in under),
        ]
        artists.note(figure, said)
    return style.keep(figure, pd.DataFrame(numbers))


def _rows(one: Robustness, kind: str) -> list[Row]:
    """The shifts of a kind, and their mean where there are several."""

    def row(words: str, shifts: Sequence[str]) -> Row:
        at = one.at(shifts)
        return Row(words, kind, lambda u: over(u.effect, at))

    shifts = one.shifts(kind)
    rows = [row(name.replace("_", " "), [name]) for name in shifts]
    words = {"content": "mean of edits"}.get(kind, f"mean of {kind}")
    return [*rows, row(words, shifts)] if len(shifts) > 1 else rows


def _block(
    axes: Axes, rows: Sequence[Row], under: Sequence[Under], content: bool, numbers: list[dict], place: str
) -> None:
    p = style.preset(style.sheet(axes).upbench_preset)
    trained = [u for u in under if u.cell.trained != 0]
    found = [[row.of(u) for u in under] for row in rows]
    means = np.array([[np.nan if s is None else s.interval().mean for s in some] for some in found])
    reach = max(float(np.nanmax(np.abs(means))) if np.isfinite(means).any() else 0.0, 1.0)
    low, high = (0.0, 100.0) if content else (-reach, reach)
    shades = SHADES if content else DIVERGING
    axes.imshow(means, cmap=shades, vmin=low, vmax=high, aspect="auto")
    for i, row in enumerate(rows):
        best, tied = (None, []) if content or len(trained) < 2 else ties(trained, row.of)
        if i and row.kind != rows[i - 1].kind:
            axes.axhline(i - 0.5, color="black", lw=p.line)
        for j, u in enumerate(under):
            sample, gid = found[i][j], f"cell-{len(numbers)}"
            star = "*" * (u.status != "ok")
            words = "–" if sample is None else signed(means[i, j]) + star
            tone = 0.0 if sample is None and content else 0.5 if sample is None else (means[i, j] - low) / (high - low)
            drawn = axes.text(j, i, words, ha="center", va="center", fontsize=p.small, color=ink(tone, shades))
            drawn.set_gid(gid)
            if u is best or u in tied:
                side = 1 - 2 * INSET
                frame = Rectangle((j - 0.5 + INSET, i - 0.5 + INSET), side, side, fill=False, ec="black")
                # Often most of a row is tied: thin dashes leave the numbers to be read.
                frame.set_linewidth(p.line if u is best else 0.5 * p.line)
                frame.set_linestyle("solid" if u is best else (0, (3, 2.5)))
                axes.add_patch(frame)
            numbers.append(_number(u, row, sample, u is best, u in tied, place) | {"gid": gid})
    axes.set_yticks(range(len(rows)), [row.words for row in rows])
    axes.tick_params(length=0)


def signed(value: float) -> str:
    """One digit behind the point, with a minus that is one."""
    return f"{value:.1f}".replace("-", "−")


def _number(u: Under, row: Row, sample: Sample | None, best: bool, tied: bool, place: str) -> dict:
    interval = None if sample is None else sample.interval()
    half = "" if interval is None or interval.half is None else f" ± {interval.half:.2f}"
    value = "no number" if interval is None else f"{interval.mean:.2f}{half} %"
    return {
        **numbers_of(u, place, row.kind, {"shift": row.words}, interval),
        "best": best,
        "tied": tied,
        "tip": f"{u.name}, {row.words}\n{quantity(row.kind)} {value}",
    }
