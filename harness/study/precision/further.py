"""The trials of a study whose number of seeds is found: the pilot first, and what each cell's pilot asks for.

A study with `seeds: {width: ...}` trains seeds 0 to first - 1 of each cell. When they are through, so that each has a
score or a row that says why not, the cell gets as many more as Stein's rule asks for, which are ordinary trials. A
search comes before the pilot. What trains nothing has one trial and needs no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from harness.errors import UserError
from harness.measured_on import MeasuredOn
from harness.stein import wanted
from harness.store.store import Store
from harness.study import tuning
from harness.study.grid import Cell, names
from harness.study.precision.rule import Asked
from harness.study.study import Study
from harness.study.tuning import Laid, Row
from harness.study.values import Precision
from harness.trial.spec import Trial

WAYS = ("selected", "last", "oracle")  # how a trial's epoch was chosen, by which reports take its score


@dataclass(frozen=True)
class Pilot:
    """One cell's pilot.

    Attributes:
        trial: One of its trials before it is resolved.
        row: The same resolved.
        ids: Of all its trials.
        scores: Seed -> Rank-1 on the test split of what it is trained on; of what trains nothing, of every seed.
        through: Whether nothing more is to be expected of it.
    """

    trial: Trial
    row: Row
    ids: tuple[str, ...]
    scores: Mapping[int, float]
    through: bool

    @property
    def trained(self) -> bool:
        """Whether seeds differ at all."""
        return bool(self.row["trained"])


def lay_out(study: Study, data: str | Path, store: Store) -> Laid:
    """As `tuning.lay_out`, with further seeds where the pilot is through.

    Raises:
        UserError: as there; and a cell that has nothing, or several things, to be compared with.
    """
    laid = tuning.lay_out(study, data, store)
    if study.precision is None:
        return laid
    pilots = _pilots(study, laid, store)
    asked = _asked(study, study.precision, pilots)
    known = {row["id"] for row in laid.main}
    more: list[Row] = []
    for cell, found in asked.items():
        for seed in range(study.precision.first, (found.seeds or 0) if found.decided else 0):
            row = tuning.resolved([pilots[cell].trial.model_copy(update={"seed": seed})], data)[0]
            if row["id"] not in known:
                known.add(row["id"])
                more.append(row)
    return replace(laid, main=[*laid.main, *more], asked=list(asked.values()))


def _pilots(study: Study, laid: Laid, store: Store) -> dict[Cell, Pilot]:
    """Cells with different trials: one that no budget scales stands once."""
    groups: dict[Cell, list[tuple[Trial, Row]]] = {}
    for spot, row in laid.placed:
        groups.setdefault(spot.cell, []).append((spot.trial, row))
    statuses, scores = _measured(store, (row for _, row in laid.placed))
    found: dict[tuple[str, ...], tuple[Cell, Pilot]] = {}
    for cell, some in groups.items():
        ids = tuple(dict.fromkeys(row["id"] for _, row in some))
        seeds = {trial.seed: scores[row["id"]] for trial, row in some if row["id"] in scores}
        over = all(row["status"] == "infeasible" for _, row in some)
        through = over or all(statuses.get(ident, "lost") != "lost" for ident in ids)
        found.setdefault(ids, (cell, Pilot(*some[0], ids, seeds, through)))
    return dict(found.values())


def _measured(store: Store, rows: Iterable[Row]) -> tuple[dict[str, str], dict[str, float]]:
    """Statuses of the committed trials, and Rank-1 of those that have it, as reports take it."""
    on = {row["id"]: MeasuredOn.of(row["trial"]["dataset"]).text for row in rows}
    tables = store.measured(on)
    trials, scores = tables["trials"], tables["scores"]
    statuses = dict(zip(trials["id"], trials["status"], strict=True))
    kept = (scores["split"] == "test") & (scores["direction"] == "t2i") & (scores["metric"] == "R1")
    kept &= scores["value"].notna()
    columns = scores.loc[kept, ["id", "dataset", "choice", "value"]]
    values = {
        (ident, choice): float(value)
        for ident, dataset, choice, value in columns.itertuples(index=False)
        if statuses[ident] == "ok" and dataset == on[ident]
    }
    ways = {ident: [values[ident, way] for way in WAYS if (ident, way) in values] for ident in on}
    return statuses, {ident: some[0] for ident, some in ways.items() if some}


def _asked(study: Study, rule: Precision, pilots: Mapping[Cell, Pilot]) -> dict[Cell, Asked]:
    """What each cell's pilot asks for; of what others are compared with the most that any of them does."""
    trained = {cell: pilot for cell, pilot in pilots.items() if pilot.trained}
    if rule.of == "mean":
        return {cell: _told(cell, p, list(p.scores.values()), p.through, rule) for cell, p in trained.items()}
    found: dict[Cell, Asked] = {}
    by: dict[Cell, list[Asked]] = {}
    entries = {index for index, name in enumerate(names(study)) if name == rule.to}
    for cell, pilot in trained.items():
        if cell.entry in entries:
            by.setdefault(cell, [])
            continue
        other = _reference(study, entries, cell, pilots)
        against = pilots[other]
        gaps = [value - against.scores[seed] for seed, value in pilot.scores.items() if seed in against.scores]
        found[cell] = _told(cell, pilot, gaps, pilot.through and against.through, rule)
        by.setdefault(other, []).append(found[cell])
    for cell, some in by.items():
        if pilots[cell].trained:
            own = _told(cell, pilots[cell], [], pilots[cell].through and all(a.decided for a in some), rule)
            counts = [a.wanted for a in some if a.wanted is not None]
            most = max(counts, default=own.wanted)
            found[cell] = replace(own, wanted=most, seeds=None if most is None else min(most, rule.most))
    return found


def _told(cell: Cell, pilot: Pilot, values: Sequence[float], through: bool, rule: Precision) -> Asked:
    count = wanted(values, rule.width)
    if count is None and through:
        count = rule.first  # nothing tells how many more there should be
    count = None if count is None else max(rule.first, count)
    return Asked(
        label=cell.label,
        budget=pilot.row["trial"]["budget"],
        dataset=MeasuredOn.of(pilot.row["trial"]["dataset"]).text,
        ids=pilot.ids,
        deviation=stdev(values) if len(values) > 1 else None,
        seeds=None if count is None else min(count, rule.most),
        wanted=count,
        decided=through,
    )


def _reference(study: Study, entries: set[int], cell: Cell, pilots: Mapping[Cell, Pilot]) -> Cell:
    """The cell that another one is compared with: trained on the same data, at the same point of the grid if there is
    one, and at the same budget or, if there is none, without one."""

    def point(of: Cell) -> list[Any]:
        full = pilots[of].trial.model_dump()
        return [_at(full, key) for key in (*study.grid, *study.zip) if not key.startswith("dataset.")]

    near = [c for c in pilots if c.entry in entries and c.dataset == cell.dataset]
    near = [c for c in near if point(c) == point(cell)] or near
    budget = pilots[cell].row["trial"]["budget"]
    for wanted_budget in (budget, None):
        same = [c for c in near if pilots[c].row["trial"]["budget"] == wanted_budget]
        if len(same) == 1:
            return same[0]
    at = f" at {budget}" if budget else ""
    raise UserError(
        f"{cell.label}{at}: {study.precision.to if study.precision else ''} has {len(near) or 'no'} cells on the same "
        "data, none of them alone at this budget or without one",
        "seeds.to",
        "a method that no budget scales, or one with the same budgets",
    )


def _at(full: Mapping[str, Any], key: str) -> Any:
    value: Any = full
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
