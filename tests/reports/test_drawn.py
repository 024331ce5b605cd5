"""The reader of drawn figures: no artist and no change of one passes unseen; and the slow script stands alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle

from reports.drawing import artists, palette, style
from tests.reports import slow
from tests.reports.slow.drawn import compare, marks

LOOK = palette.LOOKS["lora"]
ADDED = {
    "line": lambda f, a: a.plot([1, 2], [1, 2]),
    "marker": lambda f, a: a.plot([1], [2], "o"),
    "reference line": lambda f, a: a.axhline(2),
    "error bar": lambda f, a: a.errorbar([1.5], [2], yerr=[0.5]),
    "scatter": lambda f, a: a.scatter([1, 2], [1, 3]),
    "bar": lambda f, a: a.bar([1], [2]),
    "band": lambda f, a: a.fill_between([1, 2], [1, 1], [2, 2]),
    "span": lambda f, a: a.axvspan(1, 2),
    "steps": lambda f, a: a.stairs([1, 2], [1, 2, 3]),
    "lines": lambda f, a: a.vlines([1, 2], 1, 2),
    "mesh": lambda f, a: a.pcolormesh([[1, 2], [3, 4]]),
    "polygon": lambda f, a: a.add_patch(Polygon([(1, 1), (2, 1), (2, 2)])),
    "text": lambda f, a: a.text(1, 2, "3.4"),
    "annotation": lambda f, a: a.annotate("3.4", (1, 2)),
    "image": lambda f, a: a.imshow([[1, 2], [3, 4]]),
    "table": lambda f, a: a.table([["1"]]),
    "legend of a panel": lambda f, a: a.legend(handles=[Line2D([], [], label="x")]),
    "another panel": lambda f, a: f.add_axes((0, 0, 0.1, 0.1)).plot([1], [1]),
    "panel in a panel": lambda f, a: a.inset_axes((0, 0, 0.5, 0.5)).plot([1], [1]),
    "second axis": lambda f, a: a.secondary_yaxis("right", functions=(lambda y: 2 * y, lambda y: y / 2)),
    "title": lambda f, a: a.set_title("3.4"),
    "title at the left": lambda f, a: a.set_title("3.4", loc="left"),
    "title of all": lambda f, a: f.suptitle("3.4"),
    "name of an axis": lambda f, a: a.set_ylabel("Rank-5 (%)"),
    "text of the figure": lambda f, a: f.text(0.5, 0.5, "3.4"),
    "line of the figure": lambda f, a: f.add_artist(Line2D([0, 1], [0, 1])),
    "legend": lambda f, a: artists.legend(f, [artists.handle(palette.LOOKS["prefix"], "Prefix")]),
    "scale": lambda f, a: a.set_yscale("log"),
    "limits": lambda f, a: a.set_ylim(0.5, 3),
    "ticks": lambda f, a: a.set_yticks([1, 2], ["1", "3"]),
}
CHANGED = {
    "data": lambda f, a: a.lines[0].set_ydata([1, 2.001]),
    "colour": lambda f, a: a.lines[0].set_color(palette.GREEN),
    "dash": lambda f, a: a.lines[0].set_linestyle(palette.DOTTED),
    "no line": lambda f, a: a.lines[0].set_linestyle("none"),
    "in steps": lambda f, a: a.lines[0].set_drawstyle("steps"),
    "of no width": lambda f, a: a.lines[0].set_linewidth(0),
    "of no size": lambda f, a: a.lines[1].set_markersize(0),
    "unseen": lambda f, a: a.lines[0].set_visible(False),
    "moved": lambda f, a: a.lines[0].set_transform(artists.shifted(a, 1)),
    "another space": lambda f, a: a.lines[0].set_transform(a.transAxes),
    "marker": lambda f, a: a.lines[1].set_marker("o"),
    "fill": lambda f, a: a.lines[1].set_fillstyle("bottom"),
    "hollow": lambda f, a: a.lines[1].set_markerfacecolor("white"),
    "length of a bar": lambda f, a: a.patches[0].set_width(1.2),
    "pale": lambda f, a: a.patches[0].set_alpha(0.3),
    "hatch": lambda f, a: a.patches[0].set_hatch("//"),
    "frame": lambda f, a: a.patches[0].set_linewidth(0),
    "words": lambda f, a: a.texts[0].set_text("1.6"),
    "where words stand": lambda f, a: a.texts[0].set_position((1.2, 1.5)),
    "name in a legend": lambda f, a: f.legends[0].get_texts()[0].set_text("Prefix"),
    "look in a legend": lambda f, a: f.legends[0].legend_handles[0].set_color(palette.GREEN),
    "half of a band": lambda f, a: a.collections[0].set_data([1, 2], [1.5, 1.5], [2, 2.5]),
    "colour of a band": lambda f, a: a.collections[0].set_facecolor(palette.GREEN),
    "pixels": lambda f, a: a.images[0].set_data([[1, 2], [3, 5]]),
    "place of an image": lambda f, a: a.images[0].set_extent((1, 2, 1, 2)),
    "range of shades": lambda f, a: a.images[0].set_clim(0, 9),
    "shades": lambda f, a: a.images[0].set_cmap("gray"),
    "note": lambda f, a: f._supxlabel.set_text("3 seeds."),
}


def sheet():
    """A figure with one of everything that figures here have."""
    with style.use("cvpr"):
        figure = style.figure("cvpr", 2)
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2], color=LOOK.colour, ls=LOOK.dash)
        axes.plot([1], [2], LOOK.marker, color=LOOK.colour)
        axes.add_patch(Rectangle((1, 1), 1, 1, fc=LOOK.colour, ec="black", lw=1))
        axes.text(1, 1.5, "1.5")
        axes.fill_between([1, 2], [1, 1], [2, 2.5], color=LOOK.colour)
        axes.imshow([[1, 2], [3, 4]], extent=(1, 3, 1, 3))
        axes.set_aspect("auto")
        artists.legend(figure, [artists.handle(LOOK, "LoRA")])
        artists.note(figure, ["2 seeds"])
        axes.set(xlim=(0.5, 3.5), ylim=(0.5, 3.5))
    return figure


def test_the_same_figure_has_the_same_marks():
    assert compare(marks(sheet()), marks(sheet())) == []


@pytest.mark.parametrize("what", [*ADDED, *CHANGED])
def test_nothing_is_added_or_changed_unseen(what):
    figure = sheet()
    with style.use("cvpr"):
        (ADDED | CHANGED)[what](figure, figure.axes[0])
    assert compare(marks(figure), marks(sheet())) != []


def test_what_is_not_drawn_is_told():
    wanted = marks(sheet())
    assert all(compare(wanted[:k] + wanted[k + 1 :], wanted) == [f"not drawn: {wanted[k]}"] for k in range(len(wanted)))


def test_the_slow_script_takes_nothing_from_what_it_checks():
    files = sorted(Path(slow.__path__[0]).rglob("*.py"))
    assert len(files) > 20
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"reports", "harness", "methods", "upbench"}, path
