"""What matplotlib was told to draw, read back: `marks` walks all artists of a figure and gives one `Mark` for each.

Grid lines, ticks, spines and backgrounds carry no data and are left out; the words at ticks are kept. An artist of a
kind that is not known here becomes a mark of its own kind, so that whoever draws one has to say what it must show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Transform

ANY = math.nan  # in a wanted mark: whatever number
NOTHING = -999.0  # a masked pixel
FIGURE = -1  # the panel of what belongs to none
UNITS = {"K": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True, eq=False)
class Mark:
    """One drawn thing: its kind, panel, words and look, its numbers, their space, and how far it was moved (points)."""

    kind: str
    panel: int
    at: object = ()  # numbers, flat
    look: tuple = ()
    text: str = ""
    space: str = "data"  # or axes; x: x in data and y in parts of the panel; y: the reverse
    shift: tuple[float, float] = (0.0, 0.0)

    def agrees(self, other: Mark) -> bool:
        """Whether this drawn mark is the wanted `other`."""
        one = (self.kind, self.panel, self.look, self.text, self.space)
        if one != (other.kind, other.panel, other.look, other.text, other.space):
            return False
        a, b = np.ravel(self.at).astype(float), np.ravel(other.at).astype(float)
        if len(a) != len(b) or not np.allclose(self.shift, other.shift, atol=1e-3):
            return False
        return bool(np.all(np.isnan(b) | np.isclose(a, b, rtol=1e-6, atol=1e-6)))

    def __str__(self) -> str:
        numbers = np.ravel(self.at)
        at = " ".join(f"{x:.6g}" for x in numbers[:6]) + " …" * (len(numbers) > 6)
        return f"panel {self.panel}: {self.kind} '{self.text}' {self.look} at {at} ({self.space}, {self.shift})"


def compare(drawn: list[Mark], wanted: list[Mark]) -> list[str]:
    """Drawn marks that are not wanted, and wanted ones that are not drawn."""
    left = list(wanted)
    found = []
    for mark in drawn:
        same = next((i for i, other in enumerate(left) if mark.agrees(other)), None)
        if same is None:
            found.append(f"not wanted: {mark}")
        else:
            del left[same]
    return [*found, *(f"not drawn: {mark}" for mark in left)]


def marks(figure: Figure) -> list[Mark]:
    """Everything that a figure shows."""
    if any(axes.child_axes for axes in figure.axes):
        figure.draw_without_rendering()  # a second axis gets its limits then
    found = []
    for artist in figure.get_children():
        if not artist.get_visible() or artist is figure.patch:
            continue
        if isinstance(artist, Axes):
            found += _panel(artist, figure.axes.index(artist))
        elif isinstance(artist, Legend):
            found += _legend(artist, FIGURE)
        elif isinstance(artist, Text):
            found.append(Mark("note", FIGURE, text=" ".join(artist.get_text().split())))
        else:
            found.append(Mark(type(artist).__name__, FIGURE))
    return found


def _panel(axes: Axes, panel: int) -> Iterator[Mark]:
    limits = (*axes.get_xlim(), *axes.get_ylim())
    yield Mark("limits", panel, limits, (axes.get_xscale(), axes.get_yscale()))
    for artist in axes.get_children():
        if not artist.get_visible() or artist is axes.patch or isinstance(artist, Spine):
            continue
        if isinstance(artist, Axis):
            if axes.axison:
                yield from _axis(artist, panel)
        elif isinstance(artist, Text):
            yield from _text(artist, axes, panel)
        elif isinstance(artist, Legend):
            yield from _legend(artist, panel)
        elif artist in axes.child_axes:
            yield Mark("second axis", panel, artist.get_xlim())
            yield from _axis(artist.xaxis, panel, "second ")
        else:
            yield _shape(artist, axes, panel)


def _shape(artist: Artist, axes: Axes, panel: int) -> Mark:
    if isinstance(artist, Line2D):
        space, shift = _space(artist.get_transform(), axes)
        kind = "line" if artist.get_drawstyle() == "default" else artist.get_drawstyle()
        return Mark(kind, panel, artist.get_xydata(), line_look(artist), space=space, shift=shift)
    if isinstance(artist, Rectangle):
        space, shift = _space(artist.get_data_transform(), axes)
        at = (artist.get_x(), artist.get_y(), artist.get_width(), artist.get_height())
        face = to_hex(artist.get_facecolor()) if artist.get_fill() and artist.get_facecolor()[3] else "none"
        look = (face, artist.get_alpha(), artist.get_hatch(), *_edge(artist))
        return Mark("bar", panel, at, look, space=space, shift=shift)
    if isinstance(artist, AxesImage):
        values = artist.get_array()
        numbers = np.ma.filled(np.ma.masked_invalid(np.ma.asarray(values, dtype=float)), NOTHING)
        look = (*values.shape, artist.origin)
        if values.ndim == 2:
            look += (artist.cmap.name, *map(float, artist.get_clim()))
        return Mark("image", panel, [*artist.get_extent(), *numbers.ravel()], look)
    if isinstance(artist, PathCollection):
        return Mark("scatter", panel, artist.get_offsets(), _colours(artist))
    if isinstance(artist, Collection):
        at: dict[float, list[float]] = {}
        for x, y in (corner for path in artist.get_paths() for corner in path.vertices.tolist()):
            at.setdefault(x, []).append(y)
        return Mark("band", panel, [(x, min(at[x]), max(at[x])) for x in sorted(at)], _colours(artist))
    return Mark(type(artist).__name__, panel)


def _edge(patch: Rectangle) -> tuple:
    if not patch.get_linewidth() or not patch.get_edgecolor()[3]:
        return ("none", "")
    return to_hex(patch.get_edgecolor()), "solid" if patch.get_linestyle() in ("-", "solid") else "dashed"


def _colours(collection: Collection) -> tuple:
    return (*(to_hex(c) for c in collection.get_facecolor()), collection.get_alpha())


def line_look(line: Line2D) -> tuple:
    """Colour, dash (None without a line), marker, its fill (a colour, 'bottom' or 'none') and alpha."""
    # A dash given in numbers reads back as '--' from the public method.
    unseen = line.get_linestyle() in ("None", "") or not line.get_linewidth()
    dash = None if unseen else tuple(line._unscaled_dash_pattern[1] or ())
    marker = line.get_marker()
    if marker in ("None", "", None) or not line.get_markersize():
        return to_hex(line.get_color()), dash, "", "", line.get_alpha()
    style = line.get_fillstyle()
    fill = to_hex(line.get_markerfacecolor()) if style == "full" else style
    return to_hex(line.get_color()), dash, marker, fill, line.get_alpha()


def _text(artist: Text, axes: Axes, panel: int) -> Iterator[Mark]:
    if not artist.get_text().strip():
        return
    words = " ".join(artist.get_text().split())
    if artist in (axes.title, axes._left_title, axes._right_title):
        yield Mark("title", panel, text=words)
    elif isinstance(artist, Annotation):
        spaces = {"data": "data", "axes fraction": "axes"}
        assert artist.arrow_patch is None, "an arrow that nobody accounts for"
        yield Mark("text", panel, artist.xy, (to_hex(artist.get_color()),), words, spaces[artist.xycoords])
    else:
        space, shift = _space(artist.get_transform(), axes)
        yield Mark("text", panel, artist.get_position(), (to_hex(artist.get_color()),), words, space, shift)


def _legend(legend: Legend, panel: int) -> Iterator[Mark]:
    if legend.get_title().get_text():
        yield Mark("legend title", panel, text=legend.get_title().get_text())
    for k, (handle, text) in enumerate(zip(legend.legend_handles, legend.get_texts(), strict=True)):
        look = line_look(handle) if isinstance(handle, Line2D) else (type(handle).__name__,)
        yield Mark("legend", panel, (k,), look, text.get_text())


def _axis(axis: Axis, panel: int, which: str = "") -> Iterator[Mark]:
    """The name of an axis, and the words at its ticks; a number at a tick has to be that of its place."""
    name = which + axis.axis_name
    if axis.label.get_visible() and axis.label.get_text():
        yield Mark(f"{name} label", panel, text=" ".join(axis.label.get_text().split()))
    assert not axis.get_offset_text().get_text(), "numbers at ticks that are not the whole number"
    low, high = sorted(axis.get_view_interval())
    ticks = [
        (at, tick.label1.get_text() or tick.label2.get_text())
        for at, tick in zip(axis.get_majorticklocs(), axis.get_major_ticks(), strict=True)
        if low <= at <= high and (tick.label1.get_visible() or tick.label2.get_visible())
    ]
    shown = [(at, words) for at, words in ticks if words]
    if all(math.isclose(_number(words), at, rel_tol=5e-3, abs_tol=1e-9) for at, words in shown):
        return  # as far as three figures tell
    yield Mark(f"{name} ticks", panel, [at for at, _ in shown], text=" | ".join(words for _, words in shown))


def _number(words: str) -> float:
    """What a label at a tick says: 1.5K is 1500; not a number for other words."""
    words = words.replace("−", "-").replace("$\\mathdefault{", "").replace("}$", "")
    try:
        return float(words.rstrip("KMG")) * UNITS.get(words[-1], 1.0)
    except ValueError:
        return math.nan


def _space(transform: Transform, axes: Axes) -> tuple[str, tuple[float, float]]:
    """Which space the numbers of an artist are in, and by how many points it was moved in it."""
    x, y, part = axes.get_xlim(), axes.get_ylim(), (0.0, 1.0)
    known = {"data": (x, y, axes.transData), "axes": (part, part, axes.transAxes),
             "x": (x, part, axes.get_xaxis_transform()), "y": (part, y, axes.get_yaxis_transform())}  # fmt: skip
    for name, (across, up, other) in known.items():
        corners = np.column_stack([across, up])
        moved = transform.transform(corners) - other.transform(corners)
        if np.isfinite(moved).all() and np.allclose(moved[0], moved[1], atol=1e-6):
            right, over = moved[0] * 72 / axes.figure.dpi
            return name, (float(right), float(over))
    raise AssertionError(f"an artist in a space of its own: {transform}")
