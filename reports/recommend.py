"""Which method and budget, for a limit of parameters, memory or time: an answer from results, and how sure it is.

Settings that were searched in a grid are chosen on val; methods and budgets are compared on test, where the per-query
records are. The best of many is flattered by its own luck, so its score stands beside the chance that it is the best.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness.errors import UserError
from harness.labels import bare
from reports.cells import Cell, cells, home, places
from reports.compare import VALUES, Records, records_of
from reports.drawing import palette, style
from reports.limits import Limit, size
from reports.statistics import Difference, holm, seeds_needed

if TYPE_CHECKING:
    from harness.store.store import Results

LEVEL = 0.05
MOST = 1000  # seeds; more than that is no advice


@dataclass(frozen=True)
class Choice:
    """A candidate: the chance that its true mean is the highest of all, and how far it is behind the best."""

    cell: Cell
    chance: float | None  # None: nothing is known about the spread over seeds
    behind: Difference | None = None  # best - this in points, paired; None for the best itself, or without common seeds
    p: float | None = None  # of no difference to the best, Holm over all candidates
    more: int | None = None  # further seeds that would tell it from the best if both are as seen; None: over MOST

    @property
    def name(self) -> str:
        """Method and budget."""
        return f"{self.cell.series} at {self.cell.budget}" if self.cell.budget else self.cell.series


@dataclass(frozen=True)
class Advice:
    """The answer for one dataset."""

    dataset: str
    best: Choice
    candidates: tuple[Choice, ...]  # by falling mean
    ties: tuple[Cell, ...]  # cannot be told from the best
    smallest: Cell  # fewest parameters among the best and its ties
    over: tuple[str, ...] = ()  # left out, and why
    limits: tuple[Limit, ...] = field(default=())

    def words(self, metric: str = "R1", most: int = 4) -> str:
        """For a terminal of 80 columns; at most `most` rivals."""
        c = self.best.cell
        within = f", within {' and '.join(limit.words() for limit in self.limits)}" if self.limits else ""
        lines = [f"{palette.name(self.dataset)}{within}: {self.best.name}"]
        half = "" if c.known.half is None else f" ± {c.known.half:.2f}"
        costs = [f"{style.count(c.trained or 0)} parameters"]
        costs += [size(c.costs["peak_memory_train"])] if c.costs["peak_memory_train"] else []
        costs += [f"{c.costs['seconds_total']:,.0f} s"] if c.costs["seconds_total"] else []
        lines.append(f"  {palette.name(metric)} {c.mean:.2f}{half} on test ({c.story}); {', '.join(costs)}")
        if len(self.candidates) == 1:
            lines.append("  the only one within the limits, so nothing was compared")
        elif self.best.chance is None:
            lines.append(f"  best mean of {len(self.candidates)}; one seed each, so nobody knows how sure that is")
        else:
            lines.append(f"  best of {len(self.candidates)} with a chance of {self.best.chance:.2f}")
        tied = {id(t) for t in self.ties}
        rivals = [choice for choice in self.candidates if choice is not self.best]
        lines += [f"  {line}" for choice in rivals[:most] for line in _rival(choice, id(choice.cell) in tied)]
        if rest := rivals[most:]:
            alike = sum(id(choice.cell) in tied for choice in rest)
            told = f"{alike} of them cannot be told from it either" if alike else "all told from it"
            lines.append(f"  and {len(rest)} more, {told}; --json lists them")
        if self.smallest is not c:
            name = Choice(self.smallest, None).name
            lines.append(f"  the smallest that cannot be told from it: {name}, "
                         f"{style.count(self.smallest.trained or 0)} parameters")  # fmt: skip
        lines += [f"  left out: {line}" for line in self.over]
        return "\n".join(part for line in lines for part in textwrap.wrap(line, 80, subsequent_indent="      "))

    def as_dict(self) -> dict:
        """Plain JSON values; scores in percent, differences in points, memory in bytes, time in seconds."""
        tied = {id(t) for t in self.ties}

        def plain(choice: Choice) -> dict:
            c, gap = choice.cell, choice.behind
            return {
                "method": c.method, "label": c.series, "budget": c.budget, "mean": c.mean,
                "low": c.known.low, "high": c.known.high, "seeds": list(c.seeds), "story": c.story,
                "trained": c.trained, "share": c.share, "memory_bytes": c.costs["peak_memory_train"],
                "seconds": c.costs["seconds_total"], "chance_best": choice.chance,
                "behind": None if gap is None else gap.interval.mean,
                "behind_low": None if gap is None else gap.interval.low,
                "behind_high": None if gap is None else gap.interval.high,
                "p": choice.p, "told_from_best": None if choice is self.best else id(c) not in tied,
                "more_seeds": choice.more, "ids": list(c.ids),
            }  # fmt: skip

        smallest = next(choice for choice in self.candidates if choice.cell is self.smallest)
        return {
            "dataset": self.dataset,
            "limits": {limit.kind: limit.most for limit in self.limits},
            "best": plain(self.best),
            "smallest_tied": plain(smallest),
            "candidates": [plain(choice) for choice in self.candidates],
            "left_out": list(self.over),
        }


def recommend(
    results: Results,
    parameters: float | None = None,
    memory: float | None = None,
    seconds: float | None = None,
    metric: str = "R1",
    dataset: str | None = None,
    seed: int = 0,
    limits: Sequence[Limit] = (),
) -> list[Advice]:
    """Advice per dataset, from cells within every limit that is given.

    Args:
        results: A study as the store gives it.
        parameters: Most trained parameters.
        memory: Most bytes of memory at the peak of training.
        seconds: Most seconds of the whole trial, on the hardware of the study.
        metric: What is to be high.
        dataset: One dataset by its label, or all of a name; None for each on which something is within the limits.
        seed: Of the generator behind the chances.
        limits: More of them, as `reports.limits.parse` reads them.

    Raises:
        UserError: nothing measured is within the limits; says what came nearest.
    """
    given = (("parameters", parameters), ("memory", memory), ("seconds", seconds))
    limits = (*limits, *(Limit(kind, most) for kind, most in given if most is not None))
    found = [c for c in home(cells(results, metric)) if c.values]
    asked = [p for p in places(found) if not dataset or dataset in (p, bare(p))]
    if dataset and not asked:
        raise UserError(f"no score on '{dataset}'", expected=f"one of {', '.join(places(found))}")
    records, advice, faults = records_of(results), [], []
    for place in [dataset] if dataset in asked else asked:
        here, notes = _searched([c for c in found if c.dataset == place], results, metric)
        within = [c for c in here if all(limit.allows(c) for limit in limits)]
        if within:
            advice.append(_advise(place, within, here, limits, notes, records, metric, seed))
        else:
            faults.append((place, _nearest(here, limits)))
    if not advice:
        place, near = faults[0] if faults else ("any dataset", "a study with scores")
        raise UserError(f"nothing measured on {place} is within the limits", expected=near)
    return advice


def _advise(place, within, here, limits, notes, records: Records, metric: str, seed: int) -> Advice:
    ranked = sorted(within, key=lambda c: -c.score)
    chances = dict(zip(map(id, ranked), _chances(ranked, records, metric, seed), strict=True))
    best, others = ranked[0], ranked[1:]
    gaps = [records.difference(best, c, metric) for c in others]
    adjusted = holm(np.array([1.0 if gap is None else gap.p for gap in gaps]))
    ties = tuple(c for c, p in zip(others, adjusted, strict=True) if p > LEVEL)
    choices = [Choice(best, chances[id(best)])]
    for c, gap, p in zip(others, gaps, adjusted, strict=True):
        more = further_seeds(best, c, LEVEL / len(others)) if p > LEVEL else 0
        choices.append(Choice(c, chances[id(c)], gap, float(p), more))
    unknown = [c.series for c in here if any(limit.of(c) is None for limit in limits)]
    over = [f"{', '.join(dict.fromkeys(unknown))}: cost not measured"] if unknown else []
    smallest = min([best, *ties], key=lambda c: c.trained or 0)
    return Advice(place, choices[0], tuple(choices), ties, smallest, (*over, *notes), tuple(limits))


def further_seeds(a: Cell, b: Cell, level: float = LEVEL) -> int | None:
    """How many seeds more would tell `a` from `b` with 80 %, if mean and spread of their difference are as seen; None
    above `MOST` or where fewer than two seeds are common; 0 where it is not the seeds that are lacking."""
    seeds = [s for s in a.seeds if s in b.seeds]
    if len(seeds) < 2:
        return None
    gaps = np.array([a.values[a.seeds.index(s)] - b.values[b.seeds.index(s)] for s in seeds])
    needed = seeds_needed(float(gaps.mean()), float(gaps.std(ddof=1)), level=level, most=MOST)
    return None if needed is None else max(needed - len(seeds), 0)


def _rival(choice: Choice, tied: bool) -> list[str]:
    gap, p = choice.behind, choice.p
    if gap is None or p is None:
        return [f"{choice.name}: {choice.cell.mean:.2f}, no seed in common"]
    ends = "" if gap.interval.low is None else f" [{gap.interval.low:.2f}, {gap.interval.high:.2f}]"
    line = f"{choice.name}: behind by {gap.interval.mean:.2f}{ends}"
    if not tied:
        alone = "; one common seed, so the spread over seeds is left out" if gap.interval.n < 2 else ""
        return [f"{line}, p {'< 0.001' if p < 0.001 else f'{p:.3f}'}{alone}"]
    seeds = gap.interval.n
    if choice.more == 0:
        why = "more seeds would not help: the identities of the test split are too few"
    elif choice.more is None:
        why = "two seeds are needed to say more" if seeds < 2 else f"{MOST} seeds would not either"
    else:
        why = f"{choice.more} more would"
    plural = f"these {seeds} seeds" if seeds > 1 else "one seed"
    return [line, f"  cannot be told from it with {plural}; {why}"]


def _searched(here: list[Cell], results: Results, metric: str) -> tuple[list[Cell], list[str]]:
    """One cell for each method and budget: of the points of a grid, the one with the best mean on val."""
    groups: dict[tuple, list[Cell]] = {}
    for c in here:
        groups.setdefault((c.label, c.budget), []).append(c)
    if all(len(some) == 1 for some in groups.values()):
        return here, []
    on_val = [c for c in home(cells(results, metric, "val")) if c.dataset == here[0].dataset]
    val = {(c.label, c.budget, c.variant): c for c in on_val}
    kept, without = [], []
    for some in groups.values():
        means = [m.score for c in some if (m := val.get((c.label, c.budget, c.variant))) is not None and m.values]
        if len(some) > 1 and len(means) == len(some):
            kept.append(some[int(np.argmax(means))])
        else:
            kept += some
            without += [some[0].series] if len(some) > 1 else []
    notes = [f"other points of the grid: not best on val ({len(here) - len(kept)})"] if len(kept) < len(here) else []
    if without:
        notes.append(f"nothing, but {', '.join(dict.fromkeys(without))} has no val: its grid is compared on test")
    return kept, notes


def _nearest(here: list[Cell], limits: Sequence[Limit]) -> str:
    """Of the first limit that alone excludes everything, what needs the least."""
    for limit in limits:
        known = [(v, c) for c in here if (v := limit.of(c)) is not None]
        if not known:
            return f"the store has no measured {limit.kind}"
        least, c = min(known, key=lambda pair: pair[0])
        if least > limit.most:
            return f"{Choice(c, None).name} needs {limit.words(least)}"
    return "limits that something meets together"


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
        drawn[:, k] = c.score + (0 if still else stats.t.rvs(df, size=draws, random_state=rng) * scale / np.sqrt(n))
    drawn += _queries(group, records, metric, rng, draws)
    wins = np.bincount(drawn.argmax(axis=1), minlength=len(group))
    return (wins / draws).tolist()


def _queries(
    group: list[Cell], records: Records, metric: str, rng: np.random.Generator, draws: int
) -> np.ndarray | float:
    """What drawing other identities adds to each mean [draws, cells]; zero where records are missing."""
    if metric not in VALUES:
        return 0.0
    columns, person, query = [], np.empty(0, int), None
    for c in group:
        frames = records.whole(c.ids, c.measured)
        if frames is None or (query is not None and not np.array_equal(frames[0].query, query)):
            return 0.0
        person, query = frames[0].person, frames[0].query
        columns.append(np.mean([records.values(f, metric) for f in frames], axis=0))
    values = np.stack(columns, axis=1)
    _, index = np.unique(person, return_inverse=True)
    sizes = np.bincount(index).astype(float)
    sums = np.stack([np.bincount(index, v) for v in (values - values.mean(axis=0)).T], axis=1)
    times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws)
    return (times @ sums) / (times @ sizes)[:, None]
