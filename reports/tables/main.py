"""Which method is best at each budget, on all datasets side by side, and which cannot be told from it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports import palette, style
from reports.cells import Cell, cells, home, places, protocol
from reports.compare import Records, records_of
from reports.table import Column, Table, Value

if TYPE_CHECKING:
    from harness.store import Results

METRICS = ("R1", "R5", "R10", "mAP")


def applies(results: Results) -> bool:
    """Whether any trial has a score."""
    return bool((results.trials["status"] == "ok").any())


def draw(results: Results, literature: pd.DataFrame | None = None) -> Table:
    """The comparison, with published numbers below it where `literature` has some for these datasets.

    Best and second are chosen within a budget, by the mean. Published numbers have no seeds and no per-query records:
    they are shown, and enter no comparison.
    """
    records = records_of(results)
    by_metric = {m: home(cells(results, m)) for m in METRICS}
    by_metric = {m: found for m, found in by_metric.items() if m == "R1" or any(c.values for c in found)}
    every = by_metric["R1"]
    where = places(every)
    rows: dict[tuple, dict] = {}
    order = sorted(every, key=lambda c: (c.budget is not None, c.target or 0))
    for c in order:
        rows.setdefault(
            (c.budget, c.label, c.variant),
            {
                "method": c.series,
                "budget": c.budget,
                "trained": Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained)),
            },
        )
    for metric, found in by_metric.items():
        for place in where:
            for budget in dict.fromkeys(c.budget for c in order):
                group = [c for c in found if c.dataset == place and c.budget == budget]
                for c, value in _emphasised(group, metric, records, compare=budget is not None):
                    rows[c.budget, c.label, c.variant][f"{place}_{metric}"] = value
    budgets = [key[0] for key in rows]
    breaks = [i for i in range(1, len(budgets)) if budgets[i] != budgets[i - 1]]
    published = _published(literature, where, tuple(by_metric))
    if published:
        breaks.append(len(rows))
    columns = (
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("trained", "Trained"),
        *(Column(f"{p}_{m}", palette.name(m), palette.name(p)) for p in where for m in by_metric),
    )
    notes = [
        protocol(every) + "; mean ± half of the 95 % t interval over seeds",
        "Within a budget: best mean bold, second underlined; ≈ cannot be told from the best (paired on queries and "
        "seeds, identities resampled, Holm, 5 %)",
        "* one seed, or fewer seeds than declared",
    ]
    if published:
        notes.append("Below the last rule: published numbers, in no comparison; ‡ seen at second hand")
    body = (*rows.values(), *published)
    return Table("Comparison", columns, body, tuple(notes), tuple(breaks), "main")


def _emphasised(group: list[Cell], metric: str, records: Records, compare: bool) -> list[tuple[Cell, Value]]:
    """The cells of one budget and dataset with what is bold, underlined and tied."""
    best, tied = records.ties(group, metric) if compare else (None, [])
    rest = sorted((c.mean for c in group if c.values and c is not best), reverse=True)
    found = []
    for c in group:
        emphasis = "best" if c is best else "second" if best and c.values and c.mean == rest[0] else ""
        mark = ("*" if c.status in ("partial", "single") else "") + ("≈" if c in tied else "")
        alone = len(rest) == 0
        found.append((c, Value.of(c.interval, c.story, emphasis="" if alone else emphasis, mark=mark)))
    return found


def _published(literature: pd.DataFrame | None, where: list[str], metrics: tuple[str, ...]) -> list[dict]:
    if literature is None or not len(literature):
        return []
    rows: dict[tuple, dict] = {}
    chosen = literature[literature["dataset"].isin(where) & (literature["table"] == "main")]
    for line in chosen.to_dict("records"):
        trained = line["trainable"]
        row = rows.setdefault(
            (line["method"], line["backbone"]),
            {
                "method": f"{line['method']} ({line['backbone']}, published)",
                "budget": None,
                "trained": "–"
                if pd.isna(trained)
                else Value(float(trained), digits=0, text=style.count(float(trained))),
            },
        )
        mark = "" if line["certainty"] == "paper" else "‡"
        for metric in metrics:
            if pd.notna(line[metric]):
                row[f"{line['dataset']}_{metric}"] = Value(float(line[metric]), mark=mark)
    return list(rows.values())
