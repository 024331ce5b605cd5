"""How many seeds did each cell take, and is its result as precise as the study asks for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell, cells, home, places
from reports.compare import paired
from reports.declared import design_of
from reports.drawing import palette
from reports.statistics import Design, Interval, asked, pilot, two_stage
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import protocol

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether the study finds its number of seeds, and something was trained."""
    return design_of(results) is not None and any(c.trained and c.values for c in home(cells(results)))


def draw(results: Results) -> Table:
    """One row per dataset, method and budget of what is trained; with `of: difference`, the differences as well."""
    design = design_of(results)
    if design is None:
        raise ValueError("the study lists its seeds")
    found = home(cells(results))
    every = [c for c in found if c.trained != 0]
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(every):
        breaks.append(len(rows))
        rows += [_row(c, found, design) for c in every if c.dataset == place]
    differs = design.of == "difference"
    to = palette.name(design.to or "")
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("R1", palette.name("R1")),
        *([Column("difference", f"− {to}")] if differs else []),
        Column("deviation", "s of the pilot"),
        Column("asked", "Seeds asked"),
        Column("seeds", "Seeds", align="l"),
        Column("reached", f"± {design.width:g}"),
    )
    what = f"of the difference to {to} in points, paired by seed" if differs else "of the mean"
    notes = (
        f"{protocol(every)}; ± half of {design.words}, 95 %, over seeds alone: t s / √n, n of all seeds, s and t of "
        "the pilot",
        f"Asked: ± {design.width:g} {what}, of which s is; max({design.first}, ⌈(t s / {design.width:g})²⌉) seeds, cut "
        f"at {design.most}" + f"; {to}: as many as the comparison that takes most" * differs,
        "* one seed, or fewer seeds than declared",
    )
    return Table("Precision", columns, tuple(rows), notes, tuple(breaks), "precision")


def _row(c: Cell, found: list[Cell], design: Design) -> dict[str, Entry]:
    mark = "*" if c.status in ("single", "partial") else ""
    row: dict[str, Entry] = {"dataset": palette.name(c.dataset), "method": c.series, "budget": c.budget}
    row |= {"R1": Value.of(c.interval, c.story, mark=mark), "seeds": c.story}
    values = dict(zip(c.seeds, c.values, strict=True))
    if design.of == "difference":
        other = compared(c, found, design.to)
        values = paired(c, other) if other else {}
    if not values:
        return row
    numbers, seeds = np.array(list(values.values())), list(values)
    own, interval = pilot(numbers, seeds, design.first), two_stage(numbers, seeds, design.first)
    if design.of == "difference":
        row["difference"] = Value.of(interval)
    if len(own) > 1:
        row["deviation"] = Value(float(own.std(ddof=1)))
        row["asked"] = asked(own, design)
        row["reached"] = _reached(interval, design)
    return row


def _reached(interval: Interval, design: Design) -> str:
    half = interval.half or 0.0
    return "reached" if half <= design.width * (1 + 1e-9) else f"no, {half:.2f}"


def compared(c: Cell, found: list[Cell], to: str | None) -> Cell | None:
    """The cell that another is compared with: the same data, the same point of the grid if there is one, and the same
    budget or else none. None for what others are compared with, and where several are left."""
    if c.label == to:
        return None
    own = {key: value for key, value in c.variant if not key.startswith("dataset.")}
    near = [o for o in found if o.label == to and (o.dataset, o.part) == (c.dataset, c.part)]
    near = [o for o in near if all(own.get(key, value) == value for key, value in o.variant if key in own)] or near
    for budget in (c.budget, None):
        same = [o for o in near if o.budget == budget]
        if len(same) == 1:
            return same[0]
    return None
