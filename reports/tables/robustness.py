"""How much does each method lose under shifts at test time, and does it keep the right image when content is edited?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reports.cells import Cell, cells, home
from reports.drawing import palette
from reports.robustness.drops import At, Robustness, Under, over, robustness, ties
from reports.statistics import Sample
from reports.table import Column, Entry, Table, Value

if TYPE_CHECKING:
    from harness.store.store import Results

Of = Callable[[Under], Sample | None]
STILL = "still_first"


def applies(results: Results) -> bool:
    """Whether anything was measured under a shift of a known kind."""
    return any(one.shifts("images", "texts", "content") for one in robustness(results))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, budget and method; what cannot be told apart is marked within dataset and budget."""
    found = [one for one in robustness(results, metric) if one.shifts("images", "texts", "content")]
    shown = home(cells(results, metric))
    rows: list[dict[str, Entry]] = []
    breaks: list[int] = []
    for one in found:
        here = sorted((c for c in shown if c.dataset == one.place), key=lambda c: (c.budget is not None, c.target or 0))
        for budget, part in dict.fromkeys((c.budget, c.part) for c in here):
            breaks.append(len(rows))
            rows += _group(one, [c for c in here if (c.budget, c.part) == (budget, part)], budget is not None)
    name = palette.name(metric)
    every = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("clean", "As it comes", name),
        Column("retained", "Under shifts", name),
        Column("mmi_images", "Images", "MMI (%)"),
        Column("mmi_texts", "Texts", "MMI (%)"),
        Column(STILL, "Still first", "Content edits"),
    )
    columns = tuple(c for c in every if any(c.key in row for row in rows))
    notes = [
        f"{name} in percent, text to image, test split of the dataset trained on; ± half of the 95 % interval for "
        "other seeds and identities (seeds alone where no records were kept), in all columns",
        "Under shifts: mean over all shifts of images and texts; MMI: relative drop (clean − shifted) / clean, below "
        "zero a rise; means over severities, then over shifts",
        "Still first: of the right first matches, how many are still first after an edit of what the caption says; "
        "that makes another query, so there is no MMI and no best",
        "Within a dataset and budget: best mean bold; ≈ cannot be told from the best (paired on queries and seeds, "
        "identities resampled, Holm, 5 %)",
        "* one seed, or fewer seeds than declared",
        *(_shifts(one) for one in found),
    ]
    return Table("Robustness to shifts at test time", columns, tuple(rows), tuple(notes), tuple(breaks), "robustness")


def _group(one: Robustness, group: list[Cell], compare: bool) -> list[dict[str, Entry]]:
    """The rows of one budget."""
    by = {id(u.cell): u for u in one.under}
    under = [by[id(c)] for c in group if id(c) in by]
    rows: list[dict[str, Entry]] = [
        {"dataset": palette.name(one.place), "method": c.series, "budget": c.budget} for c in group
    ]
    for key, of, lowest in _measures(one):
        best, tied = ties(under, of, lowest is True) if compare and lowest is not None else (None, [])
        alone = sum(of(u) is not None for u in under) < 2
        for c, row in zip(group, rows, strict=True):
            u = by.get(id(c))
            sample = None if u is None else of(u)
            mark = ("*" if u is not None and u.status != "ok" else "") + ("≈" if u is not None and u in tied else "")
            words = c.story if u is None else "–"
            interval = None if sample is None else sample.interval()
            emphasis = "best" if u is not None and u is best and not alone else ""
            row[key] = Value.of(interval, words, emphasis, mark)
    return rows


def _measures(one: Robustness) -> list[tuple[str, Of, bool | None]]:
    """Column, its number for a cell, and whether the lowest is best; None where none is."""
    every = one.at(one.shifts("images", "texts"))
    found: list[tuple[str, Of, bool | None]] = [("clean", lambda u: u.clean, False)]
    if every:
        found.append(("retained", lambda u: over(u.retained, every), False))
    for key, kind, lowest in (("mmi_images", "images", True), ("mmi_texts", "texts", True), (STILL, "content", None)):
        if at := one.at(one.shifts(kind)):
            found.append((key, _effect(at), lowest))
    return found


def _effect(at: list[list[At]]) -> Of:
    return lambda u: over(u.effect, at)


def _shifts(one: Robustness) -> str:
    """Which shifts a data set was measured under, with their severities."""
    parts = []
    for kind in ("images", "texts", "content"):
        if shifts := one.shifts(kind):
            names = [f"{name.replace('_', ' ')} ({', '.join(map(str, one.severities[name]))})" for name in shifts]
            parts.append(f"{kind}: {', '.join(names)}")
    return f"{palette.name(one.place)}, shifts (severities): {'; '.join(parts)}"
