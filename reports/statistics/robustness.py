"""What a shift takes from a score: relative drops paired by seed and query, with identities drawn anew.

MMI = (clean - shifted) / clean (Qiu et al., arXiv 2212.08044), here in percent and signed: below zero the shift raised
the score. It is taken seed by seed. Every `Sample` of one set of queries has the same drawn identities, so that what is
clean, what is shifted and all methods stand or fall with the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.statistics.intervals import Interval, added, by_person, how_often, over_seeds, student
from reports.statistics.paired import Difference, two_sided


@dataclass(frozen=True)
class Sample:
    """A number for each seed, and again for each drawn sample of identities.

    Attributes:
        values: [seeds].
        drawn: [draws, seeds]; None without per-query records.
        people: Identities; 0 without per-query records.
    """

    values: np.ndarray
    drawn: np.ndarray | None = None
    people: int = 0

    def at(self, seeds: Sequence[int]) -> Sample:
        """The same at some positions of the seeds."""
        where = list(seeds)
        return Sample(self.values[where], None if self.drawn is None else self.drawn[:, where], self.people)

    @property
    def known(self) -> bool:
        """Whether there is a number for every seed."""
        return bool(len(self.values)) and bool(np.isfinite(self.values).all())

    def interval(self, level: float = 0.95) -> Interval:
        """The mean over seeds, for other seeds and other identities as in `over_both`; over seeds alone without
        records.

        Raises:
            ValueError: a seed has no number.
        """
        if self.drawn is None:
            return over_seeds(self.values, level)
        if not self.known:
            raise ValueError("not finite")
        mean, variance, df = self._parts()
        half = float(student((1 + level) / 2, df) * np.sqrt(variance)) if variance else 0.0
        return Interval(mean, mean - half, mean + half, len(self.values))

    def chance(self) -> float:
        """Two-sided p that the true mean is zero; 1 where nothing can be told."""
        mean, variance, df = self._parts()
        return two_sided(mean, variance, df) if df else 1.0

    def _parts(self) -> tuple[float, float, float]:
        """Mean, its variance and the degrees of freedom, which are 0 for one seed without records."""
        mean, n = float(self.values.mean()), len(self.values)
        if self.drawn is None:
            return mean, float(self.values.var(ddof=1)) / n if n > 1 else 0.0, n - 1
        means = self.drawn.mean(axis=1)
        # A drawn sample in which nothing is right has no relative drop.
        by_query = float(means[np.isfinite(means)].var(ddof=1))
        return mean, *added(by_query, self.people, self.values)


def sample(values: np.ndarray, person: np.ndarray, draws: int = 2000, seed: int = 0) -> Sample:
    """Means of `values` [seeds, queries], with the identities `person` [queries] drawn anew (cluster bootstrap)."""
    values = np.atleast_2d(np.asarray(values, float))
    sums = np.array([by_person(row, person)[0] for row in values])
    sizes = by_person(values[0], person)[1]
    times = how_often(len(sizes), draws, seed)
    return Sample(values.mean(axis=1), (times @ sums.T) / (times @ sizes)[:, None], len(sizes))


def share(part: Sample, whole: Sample) -> Sample:
    """`part` in percent of `whole`, seed by seed and draw by draw; not a number where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(whole.values == 0, np.nan, 100 * part.values / whole.values)
        if part.drawn is None or whole.drawn is None:
            return Sample(values)
        return Sample(values, 100 * part.drawn / whole.drawn, whole.people)


def drop(clean: Sample, shifted: Sample) -> Sample:
    """MMI in percent: what `shifted` lacks to `clean`, relative to that; negative for a rise."""
    kept = share(shifted, clean)
    return Sample(100 - kept.values, None if kept.drawn is None else 100 - kept.drawn, kept.people)


def mean_of(samples: Sequence[Sample]) -> Sample:
    """The mean of numbers of the same seeds and people, each of the same weight."""
    values = np.mean([one.values for one in samples], axis=0)
    drawn = [one.drawn for one in samples if one.drawn is not None]
    if len(drawn) < len(samples):
        return Sample(values)
    return Sample(values, np.mean(drawn, axis=0), samples[0].people)


def apart(a: Sample, b: Sample) -> Difference:
    """a minus b, paired by seed and by drawn identities; a sample of one seed stands for every seed of the other."""
    drawn = None if a.drawn is None or b.drawn is None else a.drawn - b.drawn
    gap = Sample(a.values - b.values, drawn, a.people)
    return Difference(gap.interval(), gap.chance())
