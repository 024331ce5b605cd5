"""Words within a panel, where they cover the least of what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from reports.drawing import style
from reports.drawing.artists import width


def label(
    axes: Axes, words: str, spots: Sequence[tuple[float, float, str, str]], busy: Sequence[tuple[float, float]], **kw
) -> list[tuple[float, float]]:
    """Write `words` at the one of `spots` (x, y in fractions of the panel, horizontal and vertical alignment) that
    covers the fewest of the `busy` points (data coordinates); returns points of the place taken, for later labels.

    How much of a panel words cover is known once the figure is laid out (`style.settle`).
    """
    figure = style.sheet(axes)
    p = style.preset(figure.upbench_preset)
    panel = axes.get_position()
    w = width(figure, words, p.small) / (panel.width * figure.get_figwidth())
    h = 1.1 * p.small / 72 / (panel.height * figure.get_figheight())
    taken = [axes.transAxes.inverted().transform(axes.transData.transform(xy)) for xy in busy]

    def place(spot: tuple[float, float, str, str]) -> tuple[float, float]:
        x, y, across, up = spot
        return x - {"left": 0, "center": w / 2, "right": w}[across], y - {"bottom": 0, "top": h}[up]

    def covered(spot: tuple[float, float, str, str]) -> int:
        left, base = place(spot)
        inside = left > -0.01 and left + w < 1.01 and base > -0.01 and base + h < 1.01
        hit = sum(left - 0.02 < tx < left + w + 0.02 and base - 0.02 < ty < base + h + 0.02 for tx, ty in taken)
        return hit + (0 if inside else 1000)

    x, y, across, up = min(spots, key=covered)
    lift = {"bottom": 0.12, "top": -0.2}[up] * p.small
    axes.annotate(
        words, (x, y), (0, lift), xycoords="axes fraction", textcoords="offset points", ha=across, va=up,
        fontsize=p.small, **kw,
    )  # fmt: skip
    left, base = place((x, y, across, up))
    inside = [(left + i * w / 6, base + j * h / 2) for i in range(7) for j in range(3)]
    return [tuple(axes.transData.inverted().transform(axes.transAxes.transform(xy)).tolist()) for xy in inside]
