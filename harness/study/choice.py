"""What a search measured on val, and the point that it chose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.store.store import Store
from harness.study.grid import Point, Spot
from harness.trial.spec import Data

Row = dict[str, Any]
OPEN = (None, "failed", "lost")  # statuses of trials that are to run, or to run again


@dataclass(frozen=True)
class Choice:
    """One search, and what it chose.

    Attributes:
        labels: The methods that share it.
        budget, dataset: Where it was run.
        points: What was tried.
        merits: Mean val (Rank-1, mAP) in percent over methods and seeds; None where a trial has no score.
        statuses: Of all its trials; None where one is not committed.
        seconds: Spent in its trials.
        ids: Of its trials.
        chosen: Index of the best point; None while the search goes on, and where no point has a score.
        edges: Keys whose chosen value is the smallest or largest that was tried.
    """

    labels: tuple[str, ...]
    budget: str | None
    dataset: str
    points: tuple[Point, ...]
    merits: tuple[tuple[float, float] | None, ...]
    statuses: tuple[str | None, ...]
    seconds: float
    ids: tuple[str, ...]
    chosen: int | None
    edges: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether trials are to run, or to run again since they failed."""
        return any(status in OPEN for status in self.statuses)

    @property
    def told(self) -> str | None:
        """What was chosen, in a line; None while the search goes on."""
        if self.open:
            return None
        where = ", ".join(self.labels) + (f" at {self.budget}" if self.budget else "") + f" on {self.dataset}"
        if self.chosen is None:
            return f"search: {where}: no point has a score"
        values = ", ".join(f"{key} {value}" for key, value in self.points[self.chosen].items())
        edge = "; at the edge of what was tried: " + ", ".join(self.edges) if self.edges else ""
        return f"search: {where}: {values} of {len(self.points)}{edge}"

    @property
    def spent(self) -> Row:
        """What the results keep of it, as JSON values."""
        return {
            "values": self.points[self.chosen] if self.chosen is not None else None,
            "points": len(self.points),
            "trials": len(self.statuses) // len(self.labels),  # of one method
            "seconds": round(self.seconds, 3),
            "edge": bool(self.edges),
            "edges": list(self.edges),
            "budget": self.budget,
            "dataset": self.dataset,
            "shared_by": len(self.labels),
        }


def scores(store: Store, ids: Iterable[str]) -> dict[str, Row]:
    """Status, seconds and val Rank-1 and mAP of the committed trials."""
    tables = store.measured(ids)
    scores = tables["scores"]
    val = scores[(scores["split"] == "val") & (scores["direction"] == "t2i")]
    found: dict[str, Row] = {
        str(row.id): {"status": row.status, "seconds": row.seconds_total, "merit": None}
        for row in tables["trials"].itertuples()
    }
    for ident, part in val.groupby("id"):
        values = dict(zip(part["metric"], part["value"], strict=True))
        row = found[str(ident)]
        if row["status"] == "ok" and "R1" in values:
            row["merit"] = (values["R1"], values["mAP"])
    return found


def choose(spots: Sequence[Spot], ids: Sequence[str], found: Mapping[str, Row]) -> Choice:
    """The state of one search, and its best point.

    Highest mean val Rank-1; among equal ones the smallest gap to the best mAP among them; then the first written. A
    point with a trial that has no score, since it diverged or ran out of memory, is not chosen.
    """
    rows = [found.get(ident) for ident in ids]
    tried = list({json.dumps(spot.point): spot.point for spot in spots}.values())
    merits: list[tuple[float, float] | None] = []
    for point in tried:
        own = [row["merit"] if row else None for spot, row in zip(spots, rows, strict=True) if spot.point == point]
        if None in own:
            merits.append(None)
        else:
            rank1, mean = (round(fmean(values), 9) for values in zip(*own, strict=True))
            merits.append((rank1, mean))
    statuses = tuple(row["status"] if row else None for row in rows)
    scored = [index for index, merit in enumerate(merits) if merit is not None]
    done = not any(status in OPEN for status in statuses)
    chosen = max(scored, key=lambda index: (merits[index], -index)) if done and scored else None
    cells = [spot.cell for spot in spots]
    return Choice(
        labels=tuple(dict.fromkeys(cell.label for cell in cells)),
        budget=cells[0].budget,
        dataset=_data(spots[0].trial.dataset),
        points=tuple(tried),
        merits=tuple(merits),
        statuses=statuses,
        seconds=sum(row["seconds"] or 0.0 for row in rows if row),
        ids=tuple(ids),
        chosen=chosen,
        edges=() if chosen is None else _edges(tried, tried[chosen]),
    )


def _data(of: Data) -> str:
    """A data set's name with the options that tell it from others, without its place on this machine."""
    return " ".join([of.dataset, *(f"{key}={value}" for key, value in of.options.items() if key != "root")])


def _edges(tried: Sequence[Point], chosen: Point) -> tuple[str, ...]:
    """Keys whose chosen value is the smallest or largest of several numbers that were tried."""
    found = []
    for key, value in chosen.items():
        values = {point[key] for point in tried if _number(point[key])}
        if _number(value) and len(values) > 1 and value in (min(values), max(values)):
            found.append(key)
    return tuple(found)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
