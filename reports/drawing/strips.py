"""Rows of pictures with words beside or above them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reports.drawing import artists, style
from reports.drawing.palette import Dash
from reports.drawing.style import Sheet

RATIO = 2.0  # height / width of a picture of a person
HIGHEST = 6.0  # inches of all rows beside their words: what a page, or a slide under its title, has room for


def side(preset: str, rows: int, across: int, under: float = 0.0) -> float:
    """Width in inches of one picture's place in `strips`."""
    p = style.preset(preset)
    if p.columns == 1:
        return (p.width - 0.15) / across
    return min(0.66 * p.size / 8, 0.7 * p.width / across, HIGHEST / (rows * RATIO * (1 + under)))


def strips(preset: str, words: Sequence[str], across: int, under: float = 0.0) -> tuple[Sheet, list[Axes]]:
    """A figure with one row per text, each with room for `across` pictures; `under` is room below them in heights.

    In a narrow preset the words stand above their row, else to its left. In the axes a picture k has the place
    k..k+1 by 0..1, upright.
    """
    p = style.preset(preset)
    scale = p.size / 8
    narrow = p.columns == 1
    cell = side(preset, len(words), across, under)
    tall = cell * RATIO * (1 + under)
    figure = style.figure(preset, 1.0)
    room = p.width - 0.2 if narrow else p.width - across * cell - 0.35 * scale
    texts = [artists.wrapped(figure, text, p.small, room) for text in words]
    line = 1.25 * p.small / 72
    highs = [line * (text.count("\n") + 1) for text in texts]
    rows = [tall + (high + 0.1 * scale if narrow else 0.1 * scale) for high in highs]
    if not narrow:
        rows = [max(row, high + 0.1 * scale) for row, high in zip(rows, highs, strict=True)]
    figure.set_size_inches(p.width, sum(rows) + 0.55 * scale)
    if narrow:
        axes = figure.subplots(len(words), 1, squeeze=False)[:, 0].tolist()
        for one, text in zip(axes, texts, strict=True):
            one.set_title(text, loc="left", fontsize=p.small, linespacing=1.15)
    else:
        grid = figure.subplots(len(words), 2, squeeze=False, height_ratios=rows, width_ratios=[room, across * cell])
        axes = grid[:, 1].tolist()
        for one, text in zip(grid[:, 0], texts, strict=True):
            one.set_axis_off()
            one.text(0, 0.98, text, fontsize=p.small, ha="left", va="top", linespacing=1.15, transform=one.transAxes)
    for one in axes:
        one.set_axis_off()
        one.set_xlim(0, across)
        one.set_ylim(-under, 1)
        one.set_aspect(RATIO, anchor="NW")
    return figure, axes


def picture(axes: Axes, k: int, pixels: np.ndarray, pad: float = 0.05) -> None:
    """Draw pixels [H, W, 3] at place `k` of a row."""
    axes.imshow(pixels, extent=(k + pad, k + 1 - pad, pad / RATIO, 1 - pad / RATIO), aspect=RATIO, zorder=1)
    axes.set_aspect(RATIO, anchor="NW")


def frame(axes: Axes, k: int, colour: str, dash: Dash | str, width: float, pad: float = 0.05) -> Rectangle:
    """A frame around the picture at place `k`."""
    made = Rectangle((k + pad, pad / RATIO), 1 - 2 * pad, 1 - 2 * pad / RATIO, fill=False, ec=colour, ls=dash, lw=width)
    axes.add_patch(made).set_zorder(2)
    return made
