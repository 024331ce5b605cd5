"""How far from full fine-tuning does each method end, at each budget?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import Cell, cells, home, places
from reports.compare import adjust, gap_over_seeds, records_of, reference
from reports.declared import design_of
from reports.drawing import palette, style
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import protocol, resampled

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether something has a score beside full fine-tuning on the same data."""
    return any(full for _, full in _pairs(home(cells(results))))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset, method and budget: the difference to full fine-tuning, over seeds alone and for other
    identities too; Holm's correction within a dataset."""
    found, records = home(cells(results, metric)), records_of(results)
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(found):
        breaks.append(len(rows))
        for c, full in _pairs([c for c in found if c.dataset == place]):
            row: dict[str, Entry] = {"dataset": palette.name(place), "method": c.series, "budget": c.budget}
            row["trained"] = Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained))
            row["score"] = Value.of(c.interval, c.story, mark="*" if c.status in ("single", "partial") else "")
            alone = gap_over_seeds(c, full) if full else None
            if full and alone:
                row["seeds"] = Value.of(alone.interval)
                row["pairs"] = alone.interval.n
                gap = records.difference(c, full, metric)
                if gap is not None:
                    row |= {"people": Value.of(gap.interval), "p": gap.p}
            rows.append(row)
        adjust(rows[breaks[-1] :])
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("trained", "Trained"),
        Column("score", palette.name(metric)),
        Column("seeds", "over seeds", "− Full fine-tuning"),
        Column("people", "and identities", "− Full fine-tuning"),
        Column("p", "p (Holm)"),
        Column("pairs", "Seeds"),
    )
    design = design_of(results)
    words = design.words if design else "the t interval"
    notes = (
        protocol(found),
        f"− Full fine-tuning: points, paired by seed, ± half of {words}, 95 %, over seeds alone; beside it ± half of "
        "the 95 % interval over seeds and identities, with its p, Holm's correction within a data set",
        *resampled(found),
        "Seeds: those that both have; what is not trained stands against every seed",
        "* one seed, or fewer seeds than declared",
    )
    return Table("Against full fine-tuning", columns, tuple(rows), notes, tuple(breaks), "against_full")


def _pairs(found: list[Cell]) -> list[tuple[Cell, Cell | None]]:
    """Each cell but full fine-tuning, with that of the same data; None where there is none or no score to compare."""
    others = [c for c in found if c.method != "full"]
    return [(c, reference(c, found) if c.values else None) for c in others]
