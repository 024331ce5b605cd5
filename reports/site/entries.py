"""The rows of the leaderboard: every cell of every study on the data set it was trained on, and where it stands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.labels import labels
from reports.cells import Cell, cells, home
from reports.compare import Records, records_of
from reports.site.composite import Parts, composite, constants
from reports.statistics import Interval, holm, letters

if TYPE_CHECKING:
    from harness.store.store import Results

METRIC, FURTHER = "R1", "mAP"
MOST = 40  # cells of one group that are compared with each other, the best; more have more pairs than can be told apart
LEVEL = 0.05


@dataclass(frozen=True)
class Entry:
    """A cell of a study on the leaderboard."""

    study: str
    place: str  # the data set, told from all others of the site
    cell: Cell
    further: Interval | None  # of the second metric
    backbone: str
    rank: int | None  # within its group, 1 is best; None without a score or a budget
    rivals: int  # cells with a score in its group
    letters: str  # shared with those of its group that it cannot be told from; empty where nothing was compared
    whole: Parts | None  # constants of the composite
    composite: float | None

    @property
    def method(self) -> str:
        """Name of the method; a file's without its folder, which says nothing elsewhere."""
        return method_name(self.cell.method)

    @property
    def mark(self) -> str:
        """Signs behind the score, as in the tables; † is an epoch chosen on test."""
        return "*" * (self.cell.status in ("partial", "single")) + "†" * (self.cell.choice == "oracle")


def method_name(method: str) -> str:
    """A method's name; of a file that a study names, the file's."""
    return Path(method).stem if method.endswith(".py") else method


def slug(name: str) -> str:
    """A name as part of an address."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def domains(studies: Mapping[str, Results]) -> dict[tuple[str, str], str]:
    """(study, its label of a data set) to a label that tells the data set from those of all studies."""
    keys: list[tuple[str, str]] = []
    things: list[tuple[str, dict[str, Any]]] = []
    for name, results in studies.items():
        for place in dict.fromkeys(c.dataset for c in home(cells(results, METRIC))):
            on = results.measured_on.get(place)
            keys.append((name, place))
            things.append((place, {}) if on is None else (on.name, dict(on.given)))
    return dict(zip(keys, labels(things), strict=True))


def entries(name: str, results: Results, named: Mapping[tuple[str, str], str]) -> list[Entry]:
    """The rows of one study: by data set, rising budget, part of the data and falling score; without a budget last."""
    found, further = home(cells(results, METRIC)), home(cells(results, FURTHER))
    second = {_key(c): c.interval for c in further}
    records, hardware = records_of(results), _by_trial(results, "hardware")
    backbones = _by_trial(results, "backbone")
    groups: dict[tuple, list[Cell]] = {}
    for c in found:
        groups.setdefault((c.dataset, c.budget, c.part), []).append(c)
    made = []
    for (place, budget, _), group in groups.items():
        scored = sorted((c for c in group if c.values), key=lambda c: -c.score)
        ties = _letters(scored, records) if budget else {}
        for c in [*scored, *(c for c in group if not c.values)]:
            whole = constants(c, found, hardware) if c.values else None
            rank = 1 + sum(other.score > c.score for other in scored) if budget and c.values else None
            names = sorted({str(backbones[i]) for i in c.ids})
            made.append(
                Entry(
                    name, named[name, place], c, second.get(_key(c)), ", ".join(names) or "–", rank, len(scored),
                    ties.get(_key(c), ""), whole, composite(c, whole),
                )
            )  # fmt: skip
    return sorted(made, key=_order)


def ordered(made: list[Entry]) -> list[Entry]:
    """Rows of several studies in the order of `entries`."""
    return sorted(made, key=_order)


def _order(entry: Entry) -> tuple:
    c = entry.cell
    score = -c.score if c.values else np.inf
    return (entry.place, c.target is None, c.target or 0, c.budget or "", entry.study, repr(c.part), score)


def _key(cell: Cell) -> tuple:
    return cell.label, cell.method, cell.budget, cell.dataset, cell.variant


def _by_trial(results: Results, column: str) -> dict[str, object]:
    return dict(zip(results.trials["id"], results.trials[column], strict=True))


def _letters(scored: list[Cell], records: Records) -> dict[tuple, str]:
    """Letters of the cells of one group, the best first: paired over queries and seeds, Holm over all its pairs."""
    some = scored[:MOST]
    if len(some) < 2:
        return {}
    pairs = list(itertools.combinations(range(len(some)), 2))
    gaps = [records.difference(some[a], some[b], METRIC) for a, b in pairs]
    adjusted = holm(np.array([1.0 if gap is None else gap.p for gap in gaps]))
    apart = [pair for pair, p in zip(pairs, adjusted, strict=True) if p <= LEVEL]
    return {_key(c): text for c, text in zip(some, letters(len(some), apart), strict=True)}
