"""What does each part contribute?

Difference in Rank-1 to the whole method (the union of the most parts) with its 95 % interval, paired on queries and
seeds; one panel per dataset. A bar whose interval holds zero is drawn pale.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.cells import Cell, cells, home, places
from reports.compare import records_of
from reports.declared import declared
from reports.drawing import artists, palette, style
from reports.statistics import Difference

if TYPE_CHECKING:
    from harness.store.store import Results

# UP-Person is written as one method, but is a union of these (arXiv 2504.10084).
UP_PERSON = ("s_prefix", "lora", "l_adapter")


def applies(results: Results) -> bool:
    """Whether the study holds a union with a score and two variants or more with fewer of its parts."""
    return bool(groups(results, home(cells(results))))


Named = dict[tuple[str, tuple], tuple[str, ...]]  # label and variant of a cell -> its parts


def parts(trials: pd.DataFrame) -> Named:
    """The parts of each cell: the members of a union, or the method itself."""
    found: Named = {}
    columns = (trials[name] for name in ("label", "variant", "method", "trial"))
    for label, variant, method, trial in zip(*columns, strict=True):
        of = (label, variant)
        if method == "union":
            given = trial.get("options.parts") or ()
            given = json.loads(given) if isinstance(given, str) else given
            found[of] = tuple(next(iter(p)) if isinstance(p, dict) else p for p in given)
        elif method == "up_person":
            found[of] = UP_PERSON
        else:
            found[of] = () if method in ("zero_shot", "full") else (method,)
    return found


def groups(results: Results, found: list[Cell]) -> dict[tuple, tuple[Cell, list[tuple[Cell, tuple[str, ...]]]]]:
    """For each (dataset, budget): the cell with the most parts, and all cells with a proper subset of them."""
    of = parts(declared(results))
    made: dict[tuple, list[Cell]] = {}
    for c in found:
        if of.get((c.label, c.variant)):
            rest = tuple(pair for pair in c.variant if pair[0] not in ("method", "options.parts"))
            made.setdefault((c.dataset, c.budget, rest), []).append(c)
    picked = {}
    for key, some in made.items():
        scored = [c for c in some if c.values]
        if not scored:
            continue
        has = {id(c): of[c.label, c.variant] for c in some}
        whole = max(scored, key=lambda c: (len(has[id(c)]), c.mean))
        fewer = [(c, has[id(c)]) for c in some if set(has[id(c)]) < set(has[id(whole)])]
        if len(has[id(whole)]) > 1 and len(fewer) > 1:
            picked[key] = (whole, sorted(fewer, key=lambda p: (-len(p[1]), p[1])))
    return picked


def largest(picked: dict[tuple, tuple]) -> dict[str, tuple]:
    """The group of the largest budget of each dataset."""
    best: dict[str, tuple] = {}
    for (place, _, _), group in picked.items():
        if place not in best or (group[0].trained or 0) > (best[place][0].trained or 0):
            best[place] = group
    return best


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """Horizontal bars; the whole method is the line at zero."""
    with style.use(preset) as p:
        found, records = home(cells(results, metric)), records_of(results)
        best = largest(groups(results, found))
        where = [place for place in places(found) if place in best]
        looks = palette.looks(c.key for c in found)
        most = max(len(fewer) for _, fewer in best.values())
        figure, ((*row,),) = artists.panels(preset, len(where), 0.5 + 0.2 * most)
        numbers: list[dict] = []
        notes = []
        for axes, place in zip(row, where, strict=True):
            whole, fewer = best[place]
            axes.grid(axis="x")
            axes.axvline(0, color="black", lw=0.8 * p.line)
            for k, (c, has) in enumerate(fewer):
                gap = records.difference(c, whole, metric) if c.values else None
                gid = f"bar-{len(numbers)}"
                if gap is None:
                    axes.annotate(
                        c.story, (0, k), (-3, 0), textcoords="offset points", ha="right", va="center", fontsize=p.small
                    )
                else:
                    _bar(axes, k, gap, looks[c.key].colour, p.line, gid)
                numbers.append(_row(c, whole, has, gap, metric) | {"gid": gid})
            same = axes is not row[0] and p.columns > 1 and [h for _, h in fewer] == [h for _, h in best[where[0]][1]]
            axes.set_yticks(range(len(fewer)), [] if same else [_plus(has) for _, has in fewer])
            axes.set_xlim(
                *_ends([row["difference"] for row in numbers], [(row["low"], row["high"]) for row in numbers])
            )
            axes.set_ylim(len(fewer) - 0.4, -0.6)
            axes.set_title(
                f"{palette.name(place)}: {whole.series} {whole.mean:.1f}"
                + (f" at {whole.budget}" if whole.budget else "")
            )
            if p.columns > 1 or axes is row[-1]:
                axes.set_xlabel(f"Δ {palette.name(metric)} (points)")
        notes.append("pale: the 95 % interval holds zero; a line that reaches the edge goes on")
        artists.note(figure, notes)
    return style.keep(figure, pd.DataFrame(numbers))


def _bar(axes: Axes, k: int, gap: Difference, colour: str, line: float, gid: str) -> None:
    ends = gap.interval.ends
    clear = ends is not None and (ends[0] > 0 or ends[1] < 0)
    bar = axes.barh(k, gap.interval.mean, height=0.62, color=colour, alpha=1.0 if clear else 0.35)
    bar.patches[0].set_gid(gid)
    if ends is not None:
        axes.plot(ends, [k, k], "-", color="black", lw=0.8 * line)


def _ends(means: list[float | None], intervals: list[tuple[float | None, float | None]]) -> tuple[float, float]:
    """Limits that show zero, all differences, and intervals as far as they add no more than the range of these."""
    known = [0.0, *(m for m in means if m is not None)]
    reach = max(max(known) - min(known), 1.0)
    low = min([*known, *(max(a, min(known) - reach) for a, _ in intervals if a is not None)])
    high = max([*known, *(min(b, max(known) + reach) for _, b in intervals if b is not None)])
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _plus(has: tuple[str, ...]) -> str:
    return " + ".join(palette.name(name) for name in has)


def _row(c: Cell, whole: Cell, has: tuple[str, ...], gap: Difference | None, metric: str) -> dict:
    story = c.story
    if gap is not None:
        half = f" ± {gap.interval.half:.2f}" if gap.interval.half is not None else ""
        story = f"{gap.interval.mean:+.2f}{half} points"
    return {
        "label": c.label,
        "parts": "+".join(has),
        "budget": c.budget,
        "dataset": c.dataset,
        "trained_parameters": c.trained,
        "whole": whole.label,
        "metric": metric,
        "difference": gap.interval.mean if gap else None,
        "low": gap.interval.low if gap else None,
        "high": gap.interval.high if gap else None,
        "p": gap.p if gap else None,
        "status": c.status,
        "tip": f"{_plus(has)}\n{story} to {whole.series}",
    }
