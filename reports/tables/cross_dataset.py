"""How well does a method trained on one dataset do on the others, in numbers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import cells, places
from reports.drawing import palette
from reports.figures.cross_dataset import overlaps, shown
from reports.robustness.shifts import domains
from reports.table import Column, Entry, Table, Value
from reports.untrained import untrained
from reports.words.sentences import means, protocol

if TYPE_CHECKING:
    from harness.store.store import Results

METRICS = ("R1", "mAP")


def applies(results: Results) -> bool:
    """Whether anything was measured on a dataset it was not trained on."""
    return bool(shown(domains(results, cells(results))))


def draw(results: Results) -> Table:
    """One row without training, then one per method and dataset trained on; columns are the datasets measured on."""
    measured = {m: domains(results, cells(results, m)) for m in METRICS}
    by_metric = {m: shown(found) for m, found in measured.items()}
    every = [c for some in by_metric["R1"].values() for c in some]
    where = places(every)
    rows: list[dict[str, Entry]] = []
    breaks = []
    for at in untrained(measured[METRICS[0]]):
        known = next(iter(at.values()))
        values = {
            f"{c.measured}_{m}": Value.of(c.interval, c.story)
            for m, found in measured.items()
            for c in sorted(found, key=lambda c: c.measured == c.dataset)
            if c.values and c.measured in where and c.trained == 0 and c.key == known.key
        }
        rows.append({"method": known.series, "budget": None, "trained_on": "–", **values})
    for key, some in by_metric["R1"].items():
        breaks.append(len(rows))
        for place in [w for w in where if any(c.dataset == w for c in some)]:
            row: dict[str, Entry] = {"method": some[0].series, "budget": some[0].budget}
            row["trained_on"] = palette.name(place)
            for metric, picked in by_metric.items():
                for c in [c for c in picked.get(key, []) if c.dataset == place]:
                    mark = "*" if c.status in ("single", "partial") else ""
                    row[f"{c.measured}_{metric}"] = Value.of(c.interval, c.story, mark=mark)
            rows.append(row)
    columns = (
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("trained_on", "Trained on", align="l"),
        *(Column(f"{w}_{m}", palette.name(m), palette.name(w)) for w in where for m in METRICS),
    )
    notes = [
        protocol(every, " of the dataset trained on") + f"; {means(every)}",
        "* one seed, or fewer seeds than declared",
        *overlaps(where),
    ]
    return Table("Transfer between datasets", columns, tuple(rows), tuple(notes), tuple(breaks), "cross_dataset")
