"""How does each method fare with less training data, in numbers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.cells import cells, home, places
from reports.drawing import palette, style
from reports.figures.data_fraction import lines
from reports.table import Column, Entry, Table, Value
from reports.untrained import untrained
from reports.words.sentences import means, protocol

if TYPE_CHECKING:
    from harness.store.store import Results

HEADS = {"fraction": "Training captions", "identities": "Training identities"}


def applies(results: Results) -> bool:
    """Whether some method has a score with two amounts of training data."""
    return bool(lines(home(cells(results))))


def draw(results: Results, metric: str = "R1") -> Table:
    """One row per dataset and method with budget; columns are the amounts of data."""
    found = home(cells(results, metric))
    made = lines(found)
    amounts = {axis: sorted({x for (a, _), some in made.items() if a == axis for points in some.values()
                             for x, _ in points}) for axis in HEADS}  # fmt: skip
    rows: list[dict[str, Entry]] = []
    breaks, used = [], []
    for place in places(found):
        here = {axis: made.get((axis, place), {}) for axis in HEADS}
        names = list(dict.fromkeys(line for some in here.values() for line in some))
        if names:
            breaks.append(len(rows))
        for line in names:
            row: dict[str, Entry] = {"dataset": palette.name(place), "method": line}
            for axis, some in here.items():
                for x, c in some.get(line, []):
                    mark = "*" if c.status in ("single", "partial") else ""
                    row[f"{axis}_{x:g}"] = Value.of(c.interval, c.story, mark=mark)
                    used.append(c)
            rows.append(row)
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        *(
            Column(f"{axis}_{x:g}", f"{style.percent(x)} %" if axis == "fraction" else style.count(x), head)
            for axis, head in HEADS.items()
            for x in amounts[axis]
        ),
    )
    zeros = untrained(found)
    alone = len(zeros) == 1
    said = [f"{palette.name(d)}{'' if alone else f' ({c.series})'} {c.mean:.2f}" for at in zeros for d, c in at.items()]
    notes = [
        f"{palette.name(metric)}: {protocol(used)}; {means(used)}",
        "Val and test are the same for all amounts; a smaller one lies inside a larger one",
        "* one seed, or fewer seeds than declared",
    ]
    if said:
        notes.append("No training data: " + ", ".join(said))
    return Table("Accuracy by amount of training data", columns, tuple(rows), tuple(notes), tuple(breaks),
                 "data_fraction")  # fmt: skip
