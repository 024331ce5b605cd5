"""How far does each method rise, and how few parameters come close to full fine-tuning?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import Cell, cells, home, places
from reports.compare import Records, records_of, reference
from reports.drawing import palette, style
from reports.figures.saturation import laws
from reports.statistics import Law
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import sources

if TYPE_CHECKING:
    from harness.store.store import Results

WITHIN = 1.0  # points of Rank-1


def applies(results: Results) -> bool:
    """Whether there are budgets, and full fine-tuning to compare them with or a law to fit."""
    found = home(cells(results))
    return any(c.budget and c.values for c in found) and (any(c.method == "full" for c in found) or bool(laws(results)))


def draw(results: Results, metric: str = "R1", within: float = WITHIN) -> Table:
    """One row per dataset and method: the law, and the smallest budget within `within` points of full fine-tuning."""
    found = home(cells(results, metric))
    fitted, records = laws(results, metric), records_of(results)
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(found):
        here = [c for c in found if c.dataset == place]
        breaks.append(len(rows))
        for key in dict.fromkeys(c.key for c in here if c.budget):
            curve = sorted((c for c in here if c.key == key and c.values), key=lambda c: c.size)
            if curve:
                law, _ = fitted.get((place, key), (None, None))
                rows.append(_row(place, curve, law, reference(curve[0], here), within, records, metric))
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        *((Column("ceiling", "Ceiling (%)"), Column("rate", "Rate")) if fitted else ()),
        Column("best", f"Best {palette.name(metric)}"),
        Column("smallest", "Smallest by mean"),
        Column("sure", "Smallest, sure"),
        *((Column("law", "By the law"),) if fitted else ()),
    )
    explained = (
        "Law: ceiling − drop · (parameters / smallest)^(−rate), fitted to at least four sizes; its ceiling lies "
        "outside the data"
    )
    reached = "By the law: where the fitted law reaches that score; – not within ten times the largest size tried"
    notes = (
        *([explained] if fitted else []),
        f"Smallest: trained parameters of the smallest budget whose mean is at most {within:g} points under full "
        "fine-tuning; sure: the 95 % interval of the paired difference (seeds and identities) lies above that",
        *sources(found),
        *([reached] if fitted else []),
    )
    title = "Saturation, and the smallest budget near full fine-tuning"
    return Table(title, columns, tuple(rows), notes, tuple(breaks), "saturation")


def _row(
    place: str, curve: list[Cell], law: Law | None, full: Cell | None, within: float, records: Records, metric: str
) -> dict:
    row: dict[str, Entry] = {"dataset": palette.name(place), "method": curve[0].series}
    row["best"] = Value.of(max(curve, key=lambda c: c.score).interval)
    if law is not None:
        low, high = law.interval()
        row["ceiling"] = Value(law.ceiling, text=f"{law.ceiling:.1f} [{low:.1f}, {high:.1f}]")
        row["rate"] = Value(law.rate)
    if full is not None:
        near = [c for c in curve if c.score >= full.score - within]
        gaps = [(c, records.difference(c, full, metric)) for c in curve]
        sure = [c for c, d in gaps if d is not None and d.interval.low is not None and d.interval.low >= -within]
        row["smallest"] = _parameters(near[0].trained if near else None)
        row["sure"] = _parameters(sure[0].trained if sure else None)
        if law is not None:
            row["law"] = _parameters(law.needed(full.score - within))
    return row


def _parameters(number: float | None) -> Value:
    return Value(number, digits=0, text="" if number is None else style.count(number))
