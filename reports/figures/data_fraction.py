"""How does each method fare with less training data?

Rank-1 against the share of the training captions, or the number of training identities, one line per method and budget;
markers are means over seeds, bars their 95 % intervals over seeds. Val and test are the same for all shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from reports.cells import Cell, cells, home, places
from reports.declared import short, text
from reports.drawing import artists, palette, style
from reports.untrained import named, untrained
from reports.words.sentences import gaps

if TYPE_CHECKING:
    from harness.store.store import Results

KEYS = {"dataset.options.fraction": "fraction", "dataset.options.identities": "identities"}
TITLES = {"fraction": "Training captions used (%)", "identities": "Training identities"}
MOST = 12  # lines; more cannot be told apart

# axis (fraction | identities), dataset -> name of the line -> its points by rising amount of data
Lines = dict[tuple[str, str], dict[str, list[tuple[float, Cell]]]]


def applies(results: Results) -> bool:
    """Whether some method has a score with two amounts of training data."""
    return bool(lines(home(cells(results))))


def lines(found: list[Cell]) -> Lines:
    """The lines of a study, for each amount that was varied and each dataset.

    A cell that names no share was trained on all of train: 100 % of the captions. How many identities that are is not
    in the results, so such a cell has no place on the axis of identities. A line without two scores is left out, and
    with it what was not trained: its score depends on no training data.
    """
    made: Lines = {}
    for key, axis in KEYS.items():
        for c in found:
            if c.trained == 0:
                continue
            at = amount(dict(c.variant).get(key), axis)
            if at is not None:
                made.setdefault((axis, c.dataset), {}).setdefault(name(c), []).append((at, c))
    for some in made.values():
        for line in [n for n, points in some.items() if len({x for x, c in points if c.values}) < 2]:
            del some[line]
        for points in some.values():
            points.sort(key=lambda pair: pair[0])
    return {place: some for place, some in made.items() if some}


def amount(value: object, axis: str) -> float | None:
    """Percent of the captions, or identities; None for an unknown number of identities."""
    if axis == "identities":
        return None if value is None else float(str(value))
    if value is None:
        return 100.0
    return float(value.strip().rstrip("%")) if isinstance(value, str) else 100 * float(str(value))


def name(c: Cell) -> str:
    """Of the line that a cell belongs to: the series without the amount of data, and the budget."""
    rest = [f"{short(k)}={text(v)}" for k, v in c.variant if k not in KEYS and k != "dataset.options.subset_seed"]
    return " ".join([palette.name(c.label), *rest, *([c.budget] if c.budget else [])])


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """One panel per amount that was varied and dataset; the highest lines where there are too many."""
    with style.use(preset) as p:
        found = home(cells(results, metric))
        made = lines(found)
        where = [(axis, place) for axis in TITLES for place in places(found) if (axis, place) in made]
        best: dict[str, float] = {}
        for some in made.values():
            for line, points in some.items():
                best[line] = max([best.get(line, 0.0), *(c.score for _, c in points if c.values)])
        shown = sorted(best, key=lambda line: -best[line])[:MOST]
        labels = {line: points[0][1].label for some in made.values() for line, points in some.items()}
        # A line has its method's own look as long as no other line of that method is there.
        alone = [labels[line] for line in shown]
        keys = {line: labels[line] if alone.count(labels[line]) == 1 else line for line in shown}
        looks = palette.looks(keys.values())
        figure, ((*row,),) = artists.panels(preset, len(where), 1.62 if p.columns == 1 else 2.1, share=False)
        numbers: list[dict] = []
        drawn: list[Cell] = []
        for axes, (axis, place) in zip(row, where, strict=True):
            here = {line: points for line, points in made[axis, place].items() if line in shown}
            cells_here = [c for points in here.values() for _, c in points]
            zeros = named(untrained(c for c in found if c.dataset == place))
            bounds = artists.limits([c for c in cells_here if c.values])
            axes.grid(axis="y")
            axes.set_xscale("log")
            axes.set_ylim(*bounds)
            for k, (line, points) in enumerate(here.items()):
                look = looks[keys[line]]
                shift = (k - (len(here) - 1) / 2) * 0.6 * p.marker
                scored = [(x, c.mean) for x, c in points if c.values]
                axes.plot(*zip(*scored, strict=True), color=look.colour, ls=look.dash,
                          transform=artists.shifted(axes, shift), zorder=2)  # fmt: skip
                for x, c in points:
                    gid = f"point-{len(numbers)}"
                    if c.values:
                        artists.point(axes, x, c, look, gid, shift, bounds)
                    else:
                        artists.absent(axes, x, look, gid, shift)
                    numbers.append({**artists.rows_of([c], metric)[0], "line": line, "axis": axis, "amount": x,
                                    "gid": gid, "tip": artists.tip(c, metric)})  # fmt: skip
            drawn += cells_here
            _zero(axes, [(name, c) for name, at in zeros for c in at.values()], bounds)
            amounts = sorted({x for points in here.values() for x, _ in points})
            axes.set_xlim(amounts[0] / 1.35, amounts[-1] * 1.35)
            axes.xaxis.set_major_locator(FixedLocator(_apart(amounts)))
            axes.xaxis.set_major_formatter(style.PERCENTS if axis == "fraction" else style.COUNTS)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(palette.name(place))
            if style.first_column(axes):
                axes.set_ylabel(f"{palette.name(metric)} (%)")
            if p.columns > 1 or axes is row[-1] or where[where.index((axis, place)) + 1][0] != axis:
                axes.set_xlabel(TITLES[axis])
        artists.legend(figure, [artists.handle(looks[keys[line]], line) for line in shown])
        more = f"shown: the {MOST} best lines of {len(best)}" if len(best) > MOST else ""
        artists.note(figure, [more, *artists.signs(drawn), *gaps(drawn)])
    return style.keep(figure, pd.DataFrame(numbers))


def _zero(axes: Axes, zeros: list[tuple[str, Cell]], bounds: tuple[float, float]) -> None:
    """What no training data gives: lines, and one line of words for those that lie below the panel."""
    p = style.preset(style.sheet(axes).upbench_preset)
    words: dict[float, list[str]] = {}
    for name, zero in zeros:
        below = zero.score < bounds[0]
        if not below:
            axes.axhline(zero.score, color=palette.GREY, ls=palette.DOTTED, lw=p.line)
        y = 0.02 if below else (zero.score - bounds[0]) / (bounds[1] - bounds[0])
        words.setdefault(y, []).append(f"{name} {zero.score:.1f}" + " ↓" * below)
    for y, said in words.items():
        axes.annotate(
            ", ".join(said), (0.985, y), (0, 1), xycoords="axes fraction", textcoords="offset points", ha="right",
            va="bottom", fontsize=p.small, color=palette.GREY,
        )  # fmt: skip


def _apart(amounts: list[float]) -> list[float]:
    """Those of the amounts whose labels do not run into each other on a logarithmic axis, the largest first."""
    kept = [amounts[-1]]
    for x in reversed(amounts[:-1]):
        if kept[-1] / x > (amounts[-1] / amounts[0]) ** (1 / 9):
            kept.append(x)
    return kept
