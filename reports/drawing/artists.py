"""Parts that several figures are made of: panels, points with intervals, legends and notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Locator, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation, Transform

from reports.cells import Cell
from reports.drawing import palette, style
from reports.drawing.palette import Look
from reports.drawing.style import Sheet
from reports.statistics import Interval

HOLLOW = "hollow: one seed, no interval"
HALF = "half-filled: not all seeds have a score"
CROSS = "×: no score"
CUT = "an arrowhead: the interval of two seeds goes on"
ROOM, SPACING = 4, 1.15  # lines of small print that every figure has room for; height of a line in font sizes


def panels(preset: str, count: int, height: float, rows: int = 1, share: bool = True) -> tuple[Sheet, list[list[Axes]]]:
    """A figure of `count` panels, side by side as far as the preset has room, `rows` times; `height` inches each.

    Returns:
        The figure, and the axes as [row][panel]; in a narrow preset the panels of a row are stacked.
    """
    p = style.preset(preset)
    # As many rows as the preset needs, and no more panels in the first row than in the others need be.
    down = math.ceil(count / p.columns)
    across = math.ceil(count / down)
    scale = p.size / 8
    # A lone panel has the whole figure for itself and may be higher.
    height *= 1.35 if down * rows == 1 and across == 1 else 1.0
    figure = style.figure(preset, height * scale * down * rows + 0.55 * scale)
    grid = figure.subplots(down * rows, across, squeeze=False, sharex=share)
    found = []
    for row in range(rows):
        flat = [grid[row * down + i // across][i % across] for i in range(down * across)]
        for unused in flat[count:]:
            unused.remove()
        found.append(flat[:count])
    return figure, found


def point(
    axes: Axes,
    x: float,
    cell: Cell,
    look: Look,
    gid: str,
    shift: float = 0.0,
    bounds: tuple[float, float] | None = None,
    interval: Interval | None = None,
    status: str = "",
) -> Line2D:
    """One cell as a marker at (`x`, mean) with its 95 % interval, or with another `interval` and `status` than its own.

    Filled: every seed has a score; half: some have none; hollow: one seed. The artist's data are the true values;
    `shift` moves only the drawing, in points, so that equal budgets can be seen side by side. An interval that leaves
    `bounds` ends in an arrowhead there.
    """
    p = style.preset(style.sheet(axes).upbench_preset)
    move = shifted(axes, shift)
    interval = interval or cell.known
    if interval.ends is not None:
        low, high = interval.ends
        if bounds:
            for edge, end, arrow in ((bounds[0], low, "v"), (bounds[1], high, "^")):
                if (end < edge) if arrow == "v" else (end > edge):
                    axes.plot([x], [edge], arrow, ms=0.9 * p.marker, mew=0, color=look.colour, transform=move)[
                        0
                    ].set_clip_on(False)
            low, high = max(low, bounds[0]), min(high, bounds[1])
        bar = axes.plot([x, x], [low, high], "-", color=look.colour, lw=0.75 * p.line, transform=move, zorder=2.5)[0]
        bar.set_gid(f"{gid}-interval")
    marker = dot(axes, x, interval.mean, look, status or cell.status, move)
    marker.set_gid(gid)
    return marker


def dot(axes: Axes, x: float, y: float, look: Look, status: str, move: Transform | None = None) -> Line2D:
    """A marker as `point` has it, without an interval."""
    p = style.preset(style.sheet(axes).upbench_preset)
    fill = {"single": "none", "partial": "bottom"}.get(status, "full")
    stroke = look.marker in ("x", "+", "_", "|")
    marker = axes.plot(
        [x],
        [y],
        look.marker,
        color=look.colour,
        fillstyle=fill,
        markerfacecoloralt="white",
        mew=1.2 * p.line if stroke else 0.7 * p.line,
        ms=p.marker * (1.6 if look.marker == "*" else 1.0),
        transform=move or axes.transData,
        zorder=3,
    )[0]
    if fill == "none":
        marker.set_markerfacecolor("white")
    return marker


def absent(axes: Axes, x: float, look: Look, gid: str, shift: float = 0.0) -> Line2D:
    """A cell without any score: a cross in its colour just above the lower edge of the panel, at `x`."""
    p = style.preset(style.sheet(axes).upbench_preset)
    move = axes.get_xaxis_transform() + ScaledTranslation(shift / 72, 0.9 * p.marker / 72, axes.figure.dpi_scale_trans)
    cross = axes.plot([x], [0], "x", color=look.colour, ms=0.9 * p.marker, mew=0.9 * p.line, transform=move)[0]
    cross.set_gid(gid)
    return cross


def handle(look: Look, key: str) -> Line2D:
    """A legend entry: line, dash and marker."""
    size = {"*": 1.5}.get(look.marker, 1.0)
    drawn = Line2D([], [], color=look.colour, ls=look.dash, marker=look.marker, label=key)
    drawn.set_markersize(drawn.get_markersize() * size)
    return drawn


def legend(figure: Sheet, entries: Sequence[Line2D], columns: int | None = None) -> None:
    """A legend above all panels, where it cannot cover data; each row after the first makes the figure higher."""
    p = style.preset(figure.upbench_preset)
    if not entries:
        return
    longest = max(width(figure, str(e.get_label()), p.small) for e in entries) + 4.6 * p.small / 72
    fit = max(1, int((p.width - 0.1) // longest))
    columns = min(columns or len(entries), fit, len(entries))
    rows = math.ceil(len(entries) / columns)
    columns = math.ceil(len(entries) / rows)
    _higher(figure, rows - 1)
    figure.legend(handles=list(entries), loc="outside upper center", ncols=columns)


def width(figure: Sheet, text: str, size: float) -> float:
    """Width of a line of text in inches at `size` points."""
    renderer = figure.canvas.get_renderer()
    # Measured large, because small sizes are rounded to whole pixels.
    font = FontProperties(family=[style.preset(figure.upbench_preset).family], size=20 * size)
    return renderer.get_text_width_height_descent(text, font, False)[0] / renderer.dpi / 20


def wrapped(figure: Sheet, text: str, size: float, room: float) -> str:
    """`text` broken into lines of at most `room` inches."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and width(figure, longer, size) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join([*lines, line])


def note(figure: Sheet, sentences: Iterable[str]) -> None:
    """Small print under the panels: what is missing and what the signs mean; nothing if there is nothing to say.
    Where it is long the figure gets higher, so that the panels keep their size."""
    sentences = [s[0].upper() + s[1:] for s in sentences if s]
    if not sentences:
        return
    p = style.preset(figure.upbench_preset)
    text = wrapped(figure, ". ".join(sentences) + ".", p.small, p.width - 0.12)
    _higher(figure, text.count("\n") + 1 - ROOM)
    figure.supxlabel(text, x=0.06 / p.width, ha="left", fontsize=p.small, color="#404040", linespacing=SPACING)


def _higher(figure: Sheet, lines: int) -> None:
    """Room for so many more lines of small print; none for less than one."""
    more = max(0, lines) * SPACING * style.preset(figure.upbench_preset).small / 72
    figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + more)


def signs(cells: Iterable[Cell]) -> list[str]:
    """What hollow, half-filled and crossed markers mean, for those that occur."""
    cells = list(cells)
    seen = {c.status for c in cells}
    known = [HOLLOW] * ("single" in seen) + [HALF] * ("partial" in seen)
    known += [CUT] * any(c.interval is not None and c.interval.n == 2 for c in cells)
    known += list(dict.fromkeys(f"bars: {c.design.words}" for c in cells if c.design and c.values))
    return known + [CROSS] * bool(seen - {"ok", "single", "partial"})


def tip(cell: Cell, metric: str) -> str:
    """What hovering over a cell shows."""
    lines = [f"{cell.series}{f' at {cell.budget}' if cell.budget else ''}, {palette.name(cell.measured)}"]
    if cell.values:
        half = cell.known.half
        lines.append(f"{palette.name(metric)} {cell.score:.2f}" + (f" ± {half:.2f}" if half is not None else ""))
    if cell.trained is not None:
        share = f" ({100 * cell.share:.3g} %)" if cell.share is not None else ""
        lines.append(f"{cell.trained:,} trained parameters{share}")
    lines.append(cell.story)
    return "\n".join(lines)


def limits(cells: Iterable[Cell], floor: float = 0.0, ceiling: float = 100.0) -> tuple[float, float]:
    """Limits of a percent axis: all means, and the intervals of three seeds or more.

    The t interval of two seeds is often wider than all differences; it is shown as far as it adds no more than six
    tenths of the range of the means on either side, cut there and marked so.
    """
    scored = [c for c in cells if c.values]
    if not scored:
        return floor, ceiling
    means = [c.score for c in scored]
    reach = 0.6 * max(max(means) - min(means), 2.0)
    ends = list(means)
    for c in scored:
        if c.known.ends is not None and c.known.n > 2:
            ends += c.known.ends
        elif c.known.ends is not None:
            ends += [max(c.known.ends[0], min(means) - reach), min(c.known.ends[1], max(means) + reach)]
    low, high = min(ends), max(ends)
    pad = max(0.06 * (high - low), 0.5)
    return max(floor, low - pad), min(ceiling, high + pad)


def rows_of(cells: Iterable[Cell], metric: str) -> list[dict]:
    """The numbers behind some cells, one dict each, for the CSV beside a figure."""
    return [
        {
            "label": c.label,
            "variant": " ".join(f"{k}={v}" for k, v in c.variant),
            "budget": c.budget,
            "trained_on": c.dataset,
            "measured_on": c.measured,
            "target_parameters": c.target,
            "trained_parameters": c.trained,
            "share": c.share,
            "metric": metric,
            "mean": c.mean,
            "low": c.interval.low if c.interval else None,
            "high": c.interval.high if c.interval else None,
            "seeds": len(c.values),
            "status": c.status,
            "story": c.story,
        }
        for c in cells
    ]


def shifted(axes: Axes, shift: float) -> Transform:
    """Data coordinates moved by `shift` points to the right."""
    return axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)


def parameter_axis(axes: Axes, title: bool = True) -> None:
    """A logarithmic axis of trained parameters, with limits a little outside the data so that decades are labelled."""
    low, high = axes.get_xlim()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(ticks(low, high))
    axes.xaxis.set_major_formatter(style.COUNTS)
    axes.xaxis.set_minor_formatter(NullFormatter())
    if title:
        axes.set_xlabel("Trained parameters")


def ticks(low: float, high: float) -> Locator:
    """Of a logarithmic axis: decades, or where there is none between the limits, 2 and 5 times the one below."""
    below = 10.0 ** (math.ceil(math.log10(low) - 1e-9) - 1)
    return LogLocator(numticks=12) if 10 * below <= high else FixedLocator([2 * below, 5 * below])


PARETO = Line2D([], [], color="#DADADA", ls="none", marker="o", ms=8, mew=0, label="Pareto front")
