"""Studies whose number of seeds is found: their table, and what is said of widths that are not reached."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scipy import stats

from tests.reports.slow import numbers
from tests.reports.slow.names import NAMES
from tests.reports.slow.shown import Shown
from tests.reports.slow.study import Group, Study


def name(seeds: dict) -> str:
    return f"Stein's two-stage interval, pilot of {seeds['first']}"


def wider(g: Group) -> bool:
    """Whether its interval is wider than asked for."""
    return bool(g.width and g.scores and g.interval.half and g.interval.half > g.width)


def unreached(groups: Iterable[Group]) -> list[str]:
    """One sentence about all groups whose interval is wider than asked for; of five or more, their number and range."""
    asked = [g for g in groups if g.width and g.scores and g.interval.half]
    wide = [g for g in asked if wider(g)]
    told = [
        f"{g.series}{f' at {g.budget}' * bool(g.budget)} on {NAMES[g.dataset]} ± {g.interval.half:.2f} with {g.story}"
        for g in wide
    ]
    if len(wide) > 4:
        ends = sorted(g.interval.half for g in wide)
        where = f"{len(wide)} of {len(asked)} cells: ± {ends[0]:.2f} to {ends[-1]:.2f}"
        return [f"width of ± {wide[0].width:g} not reached in {where}"]
    return [f"width of ± {wide[0].width:g} not reached: {', '.join(told)}"] if wide else []


def precision(study: Study) -> list[dict[str, object]]:
    every = [g for g in study.groups("R1") if g.label != "zero_shot"]
    first, width, to = (study.seeds[key] for key in ("first", "width", "to"))
    rows = []
    for g in every:
        row = {"dataset": NAMES[g.dataset], "method": g.name, "budget": g.budget, "seeds": g.story}
        row |= dict.fromkeys(("deviation", "asked", "reached"))
        row["R1"] = Shown.of(g.interval, mark=g.mark)
        values = dict(g.scores)
        if to:
            row["difference"] = None
            full = next(o for o in every if (o.label, o.dataset) == (to, g.dataset))
            values = {s: v - full.scores[s] for s, v in values.items() if s in full.scores} if g.label != to else {}
        own = [value for seed, value in values.items() if seed < first]
        mean = numbers.two_stage(values, first) if values else None
        if to and mean:
            row["difference"] = Shown.of(mean)
        if len(own) > 1:
            deviation = math.sqrt(numbers.variance(own))
            row["deviation"] = Shown(deviation)
            count = (stats.t.ppf(0.975, len(own) - 1) * deviation / width) ** 2
            row["asked"] = next(n for n in range(first, 10**6) if n >= count)
            row["reached"] = "reached" if mean.half <= width else f"no, {mean.half:.2f}"
        rows.append(row)
    return rows


def said(study: Study, protocol: str) -> list[str]:
    """The notes of the table."""
    seeds = study.seeds
    to = NAMES.get(seeds["to"], "")
    what = f"of the difference to {to} in points, paired by seed" if to else "of the mean"
    also = f"; {to}: as many as the comparison that takes most" if to else ""
    return [
        f"{protocol}; ± half of {name(seeds)}, 95 %, over seeds alone: t s / √n, n of all seeds, s and t of the pilot",
        f"Asked: ± {seeds['width']:g} {what}, of which s is; max({seeds['first']}, ⌈(t s / {seeds['width']:g})²⌉) "
        f"seeds, cut at {seeds['most']}{also}",
        "* one seed, or fewer seeds than declared",
    ]
