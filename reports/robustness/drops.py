"""Each cell of a data set under each shift: relative drops of Rank-1, what is retained, and what is still first.

Means go over what a shift drew (`shift_seed`) and over severities first, then over shifts, so that a shift with fewer
severities counts as much as another. A mean over shifts is of all that the study has; a cell that lacks one of them has
none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell, cells, home, leading, places
from reports.compare import Records, records_of
from reports.declared import remembered
from reports.robustness.shifts import KINDS, kind, shifted
from reports.statistics import Difference, Interval, Sample, apart, drop, holm, mean_of, sample, share

if TYPE_CHECKING:
    from harness.store.store import Results

At = tuple[str, int]  # shift and severity


@dataclass(frozen=True)
class Under:
    """One cell under shifts.

    Attributes:
        cell: As it was measured without a shift.
        seeds: That have a score without and under all of its shifts.
        clean: The metric in percent without a shift.
        retained: The metric in percent under each shift.
        effect: MMI in percent; of a content edit, percent of the right first matches that are still first.
    """

    cell: Cell
    seeds: tuple[int, ...]
    clean: Sample
    retained: Mapping[At, Sample]
    effect: Mapping[At, Sample]

    @property
    def status(self) -> str:
        """ok | single (one seed, so that its interval is for other identities alone) | partial (fewer seeds than
        declared)."""
        if len(self.seeds) < len(self.cell.statuses):
            return "partial"
        return "single" if len(self.seeds) == 1 and self.cell.trained != 0 else "ok"

    @property
    def name(self) -> str:
        """The method with its budget."""
        return self.cell.series + (f" {self.cell.budget}" if self.cell.budget else "")


@dataclass(frozen=True)
class Robustness:
    """One data set: its shifts by kind and name with their severities, and its cells under them."""

    place: str
    severities: Mapping[str, tuple[int, ...]]
    under: tuple[Under, ...]

    def shifts(self, *kinds: str) -> list[str]:
        """The shifts of some kinds, in the order of the kinds."""
        return [name for one in kinds for name in self.severities if kind(name) == one]

    def at(self, shifts: Iterable[str], severity: int | None = None) -> list[list[At]]:
        """Each shift at all of its severities, or at one."""
        return [[(name, s) for s in self.severities[name] if severity in (None, s)] for name in shifts]

    def common(self, shifts: Sequence[str]) -> list[int]:
        """The severities that all of some shifts have."""
        sets = [set(self.severities[name]) for name in shifts]
        return sorted(set.intersection(*sets)) if sets else []


def best_at_each(one: Robustness, most: int) -> tuple[list[Under], str]:
    """Each method at its largest budget, the `most` best by their clean means, and a sentence about the others."""
    largest: dict[str, Under] = {}
    for u in one.under:
        if u.cell.key not in largest or u.cell.size > largest[u.cell.key].cell.size:
            largest[u.cell.key] = u
    kept, words = leading([u.cell for u in largest.values()], most)
    return [u for u in largest.values() if any(u.cell is c for c in kept)], words


def marked(statuses: Iterable[str]) -> list[str]:
    """What hollow and half-filled markers mean, for those that occur among statuses of `Under`."""
    seen = set(statuses)
    single = ["hollow: one seed, its interval for other identities alone"] * ("single" in seen)
    return single + ["half-filled: fewer seeds than declared"] * ("partial" in seen)


def numbers_of(u: Under, place: str, kind: str, at: Mapping[str, object], interval: Interval | None) -> dict:
    """What a figure keeps of one number; `at` says of which shift or severity it is."""
    return {
        "dataset": place,
        "kind": kind,
        **at,
        "label": u.cell.label,
        "variant": " ".join(f"{k}={v}" for k, v in u.cell.variant),
        "budget": u.cell.budget,
        "trained_parameters": u.cell.trained,
        "quantity": quantity(kind),
        "mean": None if interval is None else interval.mean,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "seeds": len(u.seeds),
    }


def quantity(kind: str) -> str:
    """What is told of a kind of shifts."""
    return "still first" if kind == "content" else "MMI"


def over(found: Mapping[At, Sample], at: Sequence[Sequence[At]]) -> Sample | None:
    """The mean over severities and then over shifts; None where one of them has no number, or there is none."""
    if not at or not all(key in found and found[key].known for some in at for key in some):
        return None
    return mean_of([mean_of([found[key] for key in some]) for some in at])


@remembered
def robustness(results: Results, metric: str = "R1") -> list[Robustness]:
    """Each data set that was trained on and is also measured under shifts."""
    labels, every = shifted(results), cells(results, metric)
    by: dict[tuple, dict[str, Cell]] = {}
    for c in every:
        by.setdefault((c.label, c.budget, c.variant, c.dataset), {})[c.measured] = c
    records, found = records_of(results), []
    clean = home(every)
    for place in places(clean):
        here = [c for c in clean if c.dataset == place and c.values]
        under, severities = [], {}
        for c in here:
            on: dict[At, list[Cell]] = {}
            for label, other in by[c.label, c.budget, c.variant, c.dataset].items():
                if label in labels and labels[label].clean == place and other.values:
                    on.setdefault((labels[label].shift, labels[label].severity), []).append(other)
            if on and (one := _under(c, on, records, metric)) is not None:
                under.append(one)
        for name in sorted({name for one in under for name, _ in one.retained}):
            severities[name] = tuple(sorted({s for one in under for other, s in one.retained if other == name}))
        ranked = sorted(severities, key=lambda name: (*(kind(name) != one for one in KINDS), name))
        if under:
            found.append(Robustness(place, {name: severities[name] for name in ranked}, tuple(under)))
    return found


def _under(c: Cell, on: Mapping[At, Sequence[Cell]], records: Records, metric: str) -> Under | None:
    seeds = tuple(s for s in c.seeds if all(s in other.seeds for some in on.values() for other in some))
    if not seeds:
        return None
    first = _values(c, seeds, records, metric)
    clean = _sample(c, seeds, first)
    retained, effect = {}, {}
    for at, some in on.items():
        each, still = [], []
        for other in some:
            here = _values(other, seeds, records, metric)
            if first is None or here is None or not np.array_equal(first[0], here[0]):
                each.append(_sample(other, seeds, None))
                continue
            each.append(_sample(other, seeds, here))
            # Both are 0 or 100 percent for each query.
            still.append(share(sample(first[2] * here[2] / 100, first[1]), clean))
        retained[at] = mean_of(each)
        if kind(at[0]) != "content":
            effect[at] = mean_of([drop(clean, one) for one in each])
        elif len(still) == len(some):
            effect[at] = mean_of(still)
    return Under(c, seeds, clean, retained, effect)


Values = tuple[np.ndarray, np.ndarray, np.ndarray]  # query [queries], person [queries], percent [seeds, queries]


def _values(c: Cell, seeds: Sequence[int], records: Records, metric: str) -> Values | None:
    """Per query and seed; None where a seed has no records, or not of the same queries."""
    found = records.whole([c.ids[c.seeds.index(s)] for s in seeds], c.measured)
    if not found:
        return None
    return found[0].query, found[0].person, np.array([records.values(one, metric) for one in found])


def _sample(c: Cell, seeds: Sequence[int], known: Values | None) -> Sample:
    if known is None:
        return Sample(np.array([c.values[c.seeds.index(s)] for s in seeds]))
    return sample(known[2], known[1])


def difference(a: Under, b: Under, of: Callable[[Under], Sample | None]) -> Difference | None:
    """What `of` gives for a, minus that for b, on the seeds that both have; None where there is nothing to compare.

    A cell without training has one trial, which stands for every seed.
    """
    one, two = of(a), of(b)
    if one is None or two is None:
        return None
    if a.cell.trained != 0 and b.cell.trained != 0:
        both = [s for s in a.seeds if s in b.seeds]
        if not both:
            return None
        one, two = one.at([a.seeds.index(s) for s in both]), two.at([b.seeds.index(s) for s in both])
    return apart(one, two)


def ties(
    under: Sequence[Under], of: Callable[[Under], Sample | None], lowest: bool = True, level: float = 0.05
) -> tuple[Under | None, list[Under]]:
    """The cell with the best mean of `of`, and the others that cannot be told from it (Holm over the comparisons)."""
    known = {id(one): found.interval().mean for one in under if (found := of(one)) is not None}
    scored = sorted((one for one in under if id(one) in known), key=lambda one: known[id(one)] * (1 if lowest else -1))
    if not scored:
        return None, []
    best, *others = scored
    gaps = [difference(best, one, of) for one in others]
    adjusted = holm(np.array([1.0 if gap is None else gap.p for gap in gaps]))
    return best, [one for one, p in zip(others, adjusted, strict=True) if p > level]
