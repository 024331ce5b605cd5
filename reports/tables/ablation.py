"""Which parts does each variant have, and what do they bring?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import cells, home, places
from reports.compare import adjust, records_of
from reports.declared import declared
from reports.drawing import palette, style
from reports.figures.ablation import groups, parts
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import means, protocol, resampled

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether the study holds a union and something with fewer of its parts."""
    return bool(groups(results, home(cells(results))))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, budget and subset of the parts, the whole last; check marks say which parts are there."""
    trials = declared(results)
    found, records, of = home(cells(results, metric)), records_of(results), parts(trials)
    picked = groups(results, found)
    names = list(dict.fromkeys(name for whole, _ in picked.values() for name in of[whole.label, whole.variant]))
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(found):
        for (at, budget, _), (whole, fewer) in picked.items():
            if at != place:
                continue
            breaks.append(len(rows))
            gaps = [records.difference(c, whole, metric) if c.values else None for c, _ in fewer]
            for (c, has), gap in zip(
                [*reversed(fewer), (whole, of[whole.label, whole.variant])], [*reversed(gaps), None], strict=True
            ):
                row: dict[str, Entry] = {"dataset": palette.name(place), "budget": budget, "method": c.series}
                row |= {name: "✓" if name in has else "" for name in names}
                row["trained"] = Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained))
                row["score"] = Value.of(c.interval, c.story, mark="*" if c.status in ("single", "partial") else "",
                                        emphasis="best" if c is whole else "")  # fmt: skip
                row["difference"] = Value(None) if gap is None else Value.of(gap.interval)
                row["p"] = None if gap is None else gap.p
                rows.append(row)
            adjust(rows[breaks[-1] :])
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("budget", "Budget"),
        Column("method", "Variant", align="l"),
        *(Column(name, palette.name(name), align="c") for name in names),
        Column("trained", "Trained"),
        Column("score", palette.name(metric)),
        Column("difference", "Δ to the whole"),
        Column("p", "p (Holm)"),
    )
    notes = (
        protocol(found) + f"; {means(found)}",
        "Δ: paired on queries and seeds, ± half of the 95 % interval over seeds and identities; p with Holm's "
        "correction within a budget",
        *resampled(found),
        "* one seed, or fewer seeds than declared",
    )
    return Table("Ablation", columns, tuple(rows), notes, tuple(breaks), "ablation")
