"""Fair tuning: every method gets the same number of trials, val alone chooses, and fresh seeds measure what was chosen.

A study with `tune:` runs in two phases. The search trains each point of a method's lists with seeds of its own and
measures val, never test. The point with the best val Rank-1 becomes the value of ordinary trials with the study's
seeds, so no number of a search is ever a result. What the search took is kept beside each of them (`tuned`).

Which search a value comes from is said by `per`. Without `budget` in it one search, at the middle one of the budgets
that the method can meet, serves all of them; without `dataset`, one on the first data set; without `method`, all
methods share the point whose mean over them is best.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.store.store import Record, Store
from harness.study.choice import Choice, choose, scores
from harness.study.grid import Cell, Point, Spot, points, spread
from harness.study.precision.rule import Asked
from harness.study.study import Study
from harness.trial import limits, splits
from harness.trial import resolve as resolving
from harness.trial import row as columns
from harness.trial.spec import Trial

Row = dict[str, Any]  # a resolved trial as `Resolved.as_dict()` gives it


@dataclass(frozen=True)
class Laid:
    """A study's trials, resolved, each id once.

    Attributes:
        search: Trials of the first phase.
        main: Trials whose numbers are results.
        waiting: Trials of the second phase whose values are not chosen yet, under an id that nothing is committed by.
        repeats: Trials that are the same as another one.
        choices: The searches.
        placed: Trials of the second phase, repeats included, each with where it stands.
        asked: What pilots ask for, where the number of seeds is found (`precision/`).
    """

    search: list[Row]
    main: list[Row]
    waiting: list[Row] = field(default_factory=list)
    repeats: int = 0
    choices: list[Choice] = field(default_factory=list)
    placed: list[tuple[Spot, Row]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Whether more trials may follow when those that are known are through."""
        return bool(self.waiting) or bool(self.growing)

    @property
    def growing(self) -> set[str]:
        """Ids of the trials of pilots that may ask for more."""
        return {ident for each in self.asked if not each.decided for ident in each.ids}

    @property
    def trials(self) -> list[Row]:
        """All of them, the search first."""
        return [*self.search, *self.main, *self.waiting]


def lay_out(study: Study, data: str | Path, store: Store) -> Laid:
    """Resolve a study's trials as far as they are known: values that a finished search chose are in place.

    Raises:
        UserError: searches of different size, or points that are no different trials.
    """
    spots = list(spread(study, study.certain))
    _refuse(study, spots, data)
    splits.one_thing((of.model_dump() for t in spots for of in (t.trial.dataset, *t.trial.evaluate_on)), data)
    plain = resolved((spot.trial for spot in spots), data)
    cells = {
        spot.cell: row["trained"]
        for spot, row in zip(spots, plain, strict=True)
        if study.tuned and row["trained"] and row["status"] == "ready"
    }
    if not cells:
        main, repeats = _once(plain)
        return Laid([], main, repeats=repeats, placed=list(zip(spots, plain, strict=True)))
    homes = _homes(study, cells)
    search, choices = _search(study, list(dict.fromkeys(homes[cell] for cell in cells)), data, store)
    of = {cell: choices[_group(study, home)] for cell, home in homes.items()}
    found = {cell: choice.points[choice.chosen] for cell, choice in of.items() if choice.chosen is not None}
    rows: list[Row] = []
    waiting: list[Row] = []
    placed: list[tuple[Spot, Row]] = []
    for spot in spread(study, study.certain, lambda cell: [found.get(cell, {})]):
        choice = of.get(spot.cell)
        spent = choice and not choice.open and choice.spent
        spot = replace(spot, trial=spot.trial.model_copy(update={"tuned": spent or None}))
        row = resolved([spot.trial], data)[0]
        if choice and choice.open:
            ident = hashlib.sha256(f"waiting {row['id']} {spot.cell.label}".encode()).hexdigest()[:16]
            row = {**row, "id": ident, "status": "waiting", "reason": "its values are not chosen yet"}
            waiting.append(row)
        else:
            row = _hopeless(row, choice) if choice and choice.chosen is None else row
            rows.append(row)
        placed.append((spot, row))
    (main, repeats), (waiting, more) = _once(rows), _once(waiting)
    fresh = {row["trial"]["seed"] for row in [*main, *waiting] if row["trained"]}
    if both := {row["trial"]["seed"] for row in search} & fresh:
        raise UserError(
            f"seed {min(both)} is of the search and of the study", "tuning.seeds", "seeds that the study does not use"
        )
    return Laid(search, main, waiting, repeats + more, _searches(choices.values()), placed)


def _refuse(study: Study, spots: Sequence[Spot], data: str | Path) -> None:
    """Every size that does not fit backbone or data, in one message."""
    searched = spread(study, study.tuning.seeds[:1], lambda c: points(study, study.methods[c.entry]), "tuning")
    seen: set[str] = set()  # what decides it, each looked at once
    found: dict[tuple[int, str], str] = {}
    for spot in [*spots, *searched]:
        trial = spot.trial
        key = trial.model_copy(update={"seed": 0, "label": "", "budget": trial.budget and "some", "phase": None})
        if (text := key.model_dump_json()) not in seen:
            seen.add(text)
            for fault in limits.faults(trial, data):
                found.setdefault((spot.cell.entry, fault), f"{trial.label}: {fault}")
    if found:
        raise UserError("\n".join(found.values()))


def give_up(row: Row, reason: str, seconds: float, store: Store) -> None:
    """Commit a trial of a search that was given up before its last epoch: its point is not chosen."""
    known = columns.known(row)
    store.commit(Record(trial={**known, "status": "pruned", "reason": reason, "seconds_total": seconds}))


def resolved(trials: Iterable[Trial], data: str | Path) -> list[Row]:
    """Trials as rows, in order."""
    return [resolving.resolve(trial, Path(data)).as_dict() for trial in trials]


def _group(study: Study, cell: Cell) -> tuple:
    """What cells share that take their values from one search."""
    per = study.tuning.per
    return tuple(
        value if name in per else None
        for name, value in (
            ("method", (cell.entry, cell.label)),
            ("budget", cell.budget),
            ("dataset", cell.dataset),
        )
    )


def _homes(study: Study, cells: Mapping[Cell, int]) -> dict[Cell, Cell]:
    """For each cell, given with its trained parameters, the one whose search it takes its values from."""
    per, found = study.tuning.per, {}
    for cell in cells:
        near = [c for c in cells if (c.entry, c.label) == (cell.entry, cell.label)]
        dataset = cell.dataset if "dataset" in per else near[0].dataset
        near = [c for c in near if c.dataset == dataset]
        if "budget" in per:
            found[cell] = next((c for c in near if c.budget == cell.budget), cell)
        else:
            found[cell] = sorted(near, key=lambda c: cells[c])[(len(near) - 1) // 2]
    return found


def _search(
    study: Study, cells: Sequence[Cell], data: str | Path, store: Store
) -> tuple[list[Row], dict[tuple, Choice]]:
    """The trials of the first phase, and the state of each search by its group."""

    def tried(cell: Cell) -> list[Point]:
        return points(study, study.methods[cell.entry]) if cell in cells else []

    spots = list(spread(study, study.tuning.seeds, tried, "tuning"))
    _fair(study, cells, spots)
    rows = resolved((spot.trial for spot in spots), data)
    for cell in cells:
        own = [row["id"] for spot, row in zip(spots, rows, strict=True) if spot.cell == cell]
        if len(set(own)) < len(own):
            raise UserError(
                f"{cell.label}: {len(own)} trials of its search are {len(set(own))} different ones",
                "tune",
                "values that change the trial; a budget or a rule may already decide one of them",
            )
    groups: dict[tuple, list[int]] = {}
    for index, spot in enumerate(spots):
        groups.setdefault(_group(study, spot.cell), []).append(index)
    found = scores(store, [row["id"] for row in rows])
    choices = {
        group: choose([spots[i] for i in indices], [rows[i]["id"] for i in indices], found)
        for group, indices in groups.items()
    }
    return _once(rows)[0], choices


def _searches(choices: Iterable[Choice]) -> list[Choice]:
    """Each search once: a method that no budget scales has the same trials at every one."""
    found: dict[tuple[str, ...], Choice] = {}
    for choice in choices:
        same = found.setdefault(choice.ids, choice)
        if same.budget != choice.budget:
            found[choice.ids] = replace(same, budget=None)
    return list(found.values())


def _fair(study: Study, cells: Sequence[Cell], spots: Sequence[Spot]) -> None:
    """Refuse searches of different size."""
    counts = {cell: len({json.dumps(s.point) for s in spots if s.cell == cell}) for cell in cells}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        told = dict.fromkeys(f"{cell.label} {count}" for cell, count in counts.items())
        raise UserError(
            f"methods get different numbers of tuning trials: {', '.join(told)}",
            "tune",
            f"the same for each: lists of equal length, or tuning.trials: {max(1, min(counts.values()))}",
        )
    if "method" not in study.tuning.per:
        ranges = {json.dumps([s.point for s in spots if s.cell == cell][: counts[cell]]) for cell in cells}
        if len(ranges) > 1:
            raise UserError("methods that share their values have different lists", "tune", "one list for all of them")


def _hopeless(row: Row, choice: Choice) -> Row:
    """A trial whose search found nothing: a row that says so."""
    counts = {status: choice.statuses.count(status) for status in dict.fromkeys(choice.statuses)}
    reason = "no point of its search has a score: " + ", ".join(f"{n} {status}" for status, n in counts.items())
    ident = hashlib.sha256(f"{row['id']} {json.dumps(choice.points)} {reason}".encode()).hexdigest()[:16]
    trial = {**row["trial"], "tuned": choice.spent}
    return {**row, "id": ident, "status": "infeasible", "reason": reason, "trial": trial}


def _once(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Each id once, in order, and how many were dropped."""
    rows = list(rows)
    unique = {row["id"]: row for row in reversed(rows)}
    kept = [unique.pop(row["id"]) for row in rows if row["id"] in unique]
    return kept, len(rows) - len(kept)
