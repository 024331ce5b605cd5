"""What did each method achieve at each budget: parameters wanted and trained, and all metrics with intervals?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import Cell, cells, home, places
from reports.drawing import palette, style
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import means, protocol

if TYPE_CHECKING:
    from harness.store.store import Results

CLOSE = 0.02  # of the target; a larger miss is marked
METRICS = ("R1", "R5", "R10", "mAP", "mINP")  # in this order; others that were measured follow by name


def applies(results: Results) -> bool:
    """Whether there is a trial at all."""
    return bool(len(results.trials) or results.missing)


def draw(results: Results) -> Table:
    """One row per dataset, method and budget, whatever became of it."""
    others = sorted(set(results.scores["metric"]) - set(METRICS))
    by_metric = {m: {_key(c): c for c in home(cells(results, m))} for m in (*METRICS, *others)}
    by_metric = {m: found for m, found in by_metric.items() if m == "R1" or any(c.values for c in found.values())}
    every = list(by_metric["R1"].values())
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(every):
        breaks.append(len(rows))
        rows += [_row(c, by_metric) for c in every if c.dataset == place]
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("target", "Target"),
        Column("trained", "Trained"),
        Column("error", "Error (%)"),
        Column("share", "Share (%)"),
        *(Column(m, palette.name(m)) for m in by_metric),
        Column("seeds", "Seeds", align="l"),
    )
    notes = (
        protocol(every) + f"; {means(every)}",
        "Share: trained / all parameters, those of the method included",
        "Error: (trained - target) / target of the method without heads; of other budgets `upbench plan` tells",
        "† the target is missed by more than 2 %",
        "* one seed, or fewer seeds than declared",
    )
    return Table("Accuracy by budget", columns, tuple(rows), notes, tuple(breaks), "budget")


def _key(c: Cell) -> tuple:
    return c.label, c.budget, c.dataset, c.variant


def error(c: Cell) -> float | None:
    """Percent by which the method's own parameters are off the target; None without a target."""
    if not c.target or c.trained is None:
        return None
    return 100 * ((c.trained - c.heads) / c.target - 1)


def _row(c: Cell, by_metric: dict[str, dict[tuple, Cell]]) -> dict:
    off = error(c)
    mark = "*" if c.status in ("partial", "single") else ""
    row = {
        "dataset": palette.name(c.dataset),
        "method": c.series,
        "budget": c.budget,
        "target": Value(c.target, digits=0, text="" if c.target is None else style.count(c.target)),
        "trained": Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained)),
        "error": Value(off, mark="†" * (off is not None and abs(off) > 100 * CLOSE)),
        "share": Value(None if c.share is None else 100 * c.share, digits=3),
        "seeds": c.story,
    }
    for metric, found in by_metric.items():
        cell = found[_key(c)]
        row[metric] = Value.of(cell.interval, mark=mark)
    return row
