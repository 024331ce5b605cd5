"""Which method and budget, for a limit of parameters, memory or time: an answer from results, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.errors import UserError
from reports import palette, style
from reports.cells import Cell, cells, home, places
from reports.compare import VALUES, Records, records_of

if TYPE_CHECKING:
    from harness.store import Results


@dataclass(frozen=True)
class Choice:
    """A candidate with the chance that its true mean is the highest of all candidates."""

    cell: Cell
    chance: float | None  # None: nothing is known about the spread over seeds


@dataclass(frozen=True)
class Advice:
    """The answer for one dataset."""

    dataset: str
    best: Choice
    candidates: tuple[Choice, ...]  # by falling mean
    ties: tuple[Cell, ...]  # cannot be told from the best
    smallest: Cell  # fewest parameters among the best and its ties
    over: tuple[str, ...]  # left out, and why

    def words(self, metric: str = "R1") -> str:
        """For a terminal."""
        c = self.best.cell
        half = "" if c.interval.half is None else f" ± {c.interval.half:.2f}"
        chance = (
            "one seed each, so nobody knows how sure"
            if self.best.chance is None
            else f"best with {self.best.chance:.0%}"
        )
        lines = [
            f"{palette.name(self.dataset)}: {c.series}{f' at {c.budget}' if c.budget else ''}, "
            f"{palette.name(metric)} {c.mean:.2f}{half}, {style.count(c.trained or 0)} parameters ({chance})"
        ]
        if self.ties:
            same = ", ".join(f"{t.series}{f' at {t.budget}' if t.budget else ''}" for t in self.ties)
            lines.append(f"  cannot be told from it: {same}")
        if self.smallest is not c:
            s = self.smallest
            at = f" at {s.budget}" if s.budget else ""
            lines.append(f"  the smallest of these: {s.series}{at}, {style.count(s.trained or 0)} parameters")
        return "\n".join([*lines, *(f"  left out: {line}" for line in self.over)])


def recommend(
    results: Results,
    parameters: float | None = None,
    memory: float | None = None,
    seconds: float | None = None,
    metric: str = "R1",
    dataset: str | None = None,
    seed: int = 0,
) -> list[Advice]:
    """Advice per dataset, from cells within every limit that is given.

    Args:
        results: A study as the store gives it.
        parameters: Most trained parameters.
        memory: Most bytes of memory at the peak of training.
        seconds: Most seconds of the whole trial, on the hardware of the study.
        metric: What is to be high.
        dataset: One dataset; None for each.
        seed: Of the generator behind the chances.

    Raises:
        UserError: nothing measured is within the limits; says what came nearest.
    """
    limits = (
        ("trained", parameters, "parameters"),
        ("peak_memory_train", memory, "bytes"),
        ("seconds_total", seconds, "s"),
    )
    limits = tuple((key, most, unit) for key, most, unit in limits if most is not None)
    found = [c for c in home(cells(results, metric)) if c.values]
    records = records_of(results)
    advice = []
    for place in [dataset] if dataset else places(found):
        here = [c for c in found if c.dataset == place]
        within = [c for c in here if all((v := _cost(c, key)) is not None and v <= most for key, most, _ in limits)]
        if not within:
            known = [(v, c) for key, _, _ in limits[:1] for c in here if (v := _cost(c, key)) is not None]
            least = min(known, key=lambda p: p[0], default=None)
            near = f"{least[1].series} needs {least[0]:,.0f} {limits[0][2]}" if least else "the store has no such cost"
            raise UserError(f"nothing measured on {place} is within the limits", expected=near)
        best, ties = records.ties(within, metric)
        ranked = sorted(zip(within, _chances(within, records, metric, seed), strict=True), key=lambda p: -p[0].mean)
        choices = tuple(Choice(c, chance) for c, chance in ranked)
        smallest = min([best, *ties], key=lambda c: c.trained or 0)
        unknown = [c.series for c in here if any(_cost(c, key) is None for key, _, _ in limits)]
        over = [f"{', '.join(dict.fromkeys(unknown))}: cost not measured"] if unknown else []
        advice.append(Advice(place, choices[0], choices, tuple(ties), smallest, tuple(over)))
    return advice


def _cost(c: Cell, key: str) -> float | None:
    return c.trained if key == "trained" else c.costs[key]


def _chances(group: list[Cell], records: Records, metric: str, seed: int, draws: int = 4000) -> list[float | None]:
    """Chance of each cell to have the highest true mean: identities are drawn anew for all cells alike, and the seeds'
    part is a t variable with the cell's own spread, or the pooled one for a cell with one seed."""
    rng = np.random.default_rng(seed)
    free = sum(len(c.values) - 1 for c in group)
    if len(group) == 1:
        return [1.0]
    if not free:
        return [None] * len(group)
    pooled = np.sqrt(sum(((np.array(c.values) - c.mean) ** 2).sum() for c in group) / free)
    drawn = np.empty((draws, len(group)))
    for k, c in enumerate(group):
        n = len(c.values)
        still = c.trained == 0
        scale, df = (np.std(c.values, ddof=1), n - 1) if n > 1 else (pooled, free)
        drawn[:, k] = c.mean + (0 if still else stats.t.rvs(df, size=draws, random_state=rng) * scale / np.sqrt(n))
    drawn += _queries(group, records, metric, rng, draws)
    wins = np.bincount(drawn.argmax(axis=1), minlength=len(group))
    return (wins / draws).tolist()


def _queries(
    group: list[Cell], records: Records, metric: str, rng: np.random.Generator, draws: int
) -> np.ndarray | float:
    """What drawing other identities adds to each mean [draws, cells]; zero where records are missing."""
    if metric not in VALUES:
        return 0.0
    columns, person, query = [], None, None
    for c in group:
        frames = [records.of(i, c.measured) for i in c.ids]
        if any(f is None for f in frames):
            return 0.0
        if query is None:
            person, query = frames[0].person, frames[0].query
        if any(not np.array_equal(f.query, query) for f in frames):
            return 0.0
        columns.append(np.mean([records.values(f, metric) for f in frames], axis=0))
    values = np.stack(columns, axis=1)
    _, index = np.unique(person, return_inverse=True)
    sizes = np.bincount(index).astype(float)
    sums = np.stack([np.bincount(index, v) for v in (values - values.mean(axis=0)).T], axis=1)
    times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws)
    return (times @ sums) / (times @ sizes)[:, None]
