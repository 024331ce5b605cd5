"""A study as cells: what shares everything but the seed, with every declared trial accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from reports.declared import design_of, groups, remembered, short, text
from reports.drawing import palette
from reports.statistics import Design, Interval, over_seeds, two_stage

if TYPE_CHECKING:
    from harness.store.store import Results

WORDS = {"oom": "out of memory", "missing": "not run"}
CHOICES = {
    "selected": "epoch chosen on val",
    "last": "last epoch",
    "oracle": "epoch chosen on test (oracle, optimistic: for parity with published tables only)",
}
# Ways for a trial to have no score, the most telling first.
FAILURES = ("infeasible", "diverged", "oom", "failed", "pruned", "lost", "missing")


@dataclass(frozen=True)
class Cell:
    """One label, budget, variant and dataset: the scores of its seeds, and what became of the seeds without one."""

    label: str
    method: str
    budget: str | None
    dataset: str  # trained on
    measured: str  # measured on
    variant: tuple[tuple[str, object], ...]  # the grid's point, and what else differs under this label: (key, value)
    target: int | None  # wanted parameters
    trained: int | None  # achieved parameters, those of heads that a loss needs included
    total: int | None
    share: float | None  # trained / total, fraction
    statuses: tuple[str, ...]  # of every declared trial
    reasons: tuple[str, ...]
    ids: tuple[str, ...]  # of the trials behind `values`
    seeds: tuple[int, ...]
    values: tuple[float, ...]  # one per seed that has a score
    choice: str | None  # how the epoch was chosen: selected (on val) | last | oracle (on test)
    costs: dict = field(compare=False, default_factory=dict)  # of a trial, over seeds: `statistics/costs.py`
    val: str | None = None  # where val comes from, if it is not the official one
    heads: int = 0  # of `trained`
    tuned: dict | None = field(compare=False, default=None)  # what the search took that chose its values
    design: Design | None = None  # how the number of seeds was found; None where they are listed
    width: float | None = None  # half of the interval that the study asks for, of this very score

    @cached_property
    def interval(self) -> Interval | None:
        """Mean and 95 % interval over seeds; None without a score."""
        return self.known if self.values else None

    @property
    def mean(self) -> float | None:
        """Mean over the seeds that have a score."""
        return self.interval.mean if self.interval else None

    @property
    def known(self) -> Interval:
        """The interval of a cell with a score; ValueError without one."""
        if self.design and len(self.values) > 1:
            return two_stage(np.array(self.values), self.seeds, self.design.first)
        return over_seeds(np.array(self.values))

    @property
    def score(self) -> float:
        """The mean of a cell with a score; ValueError without one."""
        return self.known.mean

    @property
    def size(self) -> int:
        """Parameters: trained, or else wanted; 0 where neither is known."""
        return self.trained or self.target or 0

    @property
    def status(self) -> str:
        """ok | single (one seed, so no interval) | partial (some seeds have no score) | a failure | missing."""
        if not self.values:
            return next((s for s in FAILURES if s in self.statuses), "missing")
        if len(self.values) < len(self.statuses):
            return "partial"
        # A method without trained parameters gives the same score for every seed.
        return "single" if len(self.values) == 1 and self.trained != 0 else "ok"

    @property
    def series(self) -> str:
        """Name in figures and tables: the label, with what else tells it from others under the same label."""
        return " ".join([palette.name(self.label), *(f"{short(k)}={text(v)}" for k, v in self.variant)])

    @property
    def part(self) -> tuple[tuple[str, object], ...]:
        """Which part of its data set it was trained on, as far as the study varies that."""
        return tuple((key, value) for key, value in self.variant if key.startswith("dataset."))

    @property
    def key(self) -> str:
        """What gives the cell its colour: the label, unless other points of a grid stand under the same label."""
        return self.series if self.variant else self.label

    @property
    def story(self) -> str:
        """The seeds in words: '3 seeds', '2 of 3 seeds (1 diverged)', 'infeasible'."""
        lost = Counter(s for s in self.statuses if s != "ok")
        words = ", ".join(f"{n} {WORDS.get(s, s)}" for s, n in sorted(lost.items()))
        if not self.values:
            return words if len(self.statuses) > 1 and len(lost) > 1 else WORDS.get(self.status, self.status)
        n = len(self.values)
        plain = f"{n} seed{'s' if n > 1 else ''}"
        return plain if not lost else f"{n} of {len(self.statuses)} seeds ({words})"


@remembered
def cells(
    results: Results,
    metric: str = "R1",
    split: str = "test",
    choice: str | None = None,
    direction: str = "t2i",
) -> list[Cell]:
    """All cells of a study with their scores in percent, in the order of `ordered`; do not change the list.

    Every trial's epoch is chosen as the study says (`choice` None), or only trials that chose it so are taken. A cell
    whose trials have no score is measured on the dataset it was to be trained on.
    """
    chosen = results.scores
    mask = (chosen["metric"] == metric) & (chosen["split"] == split)
    mask &= (chosen["direction"] == direction) & chosen["value"].notna()
    scores: dict[str, dict[str, float]] = {}
    ways: dict[str, str] = {}
    scored = chosen.loc[mask, ["id", "dataset", "choice", "value"]]
    for way in CHOICES if choice is None else (choice,):
        of_way = scored.loc[scored["choice"] == way, ["id", "dataset", "value"]]
        for ident, measured, value in of_way.itertuples(index=False):
            if ways.setdefault(ident, way) == way:
                scores.setdefault(ident, {})[measured] = value
    found, design = [], design_of(results)
    asked = design.width if design and design.of == "mean" else None
    asked = asked if (metric, split, direction) == ("R1", "test", "t2i") else None
    for shared, ids, seeds in groups(results):
        ok = [i for i, status in zip(ids, shared["statuses"], strict=True) if status == "ok" and i in scores]
        statuses = tuple(
            "failed" if s == "ok" and i not in scores else s for i, s in zip(ids, shared["statuses"], strict=True)
        )
        at = dict(zip(ids, seeds, strict=True))
        for place in list(dict.fromkeys(p for i in ok for p in scores[i])) or [shared["dataset"]]:
            here = [i for i in ok if place in scores[i]]
            found.append(
                Cell(
                    **{**shared, "statuses": statuses},
                    measured=place,
                    ids=tuple(here),
                    seeds=tuple(at[i] for i in here),
                    values=tuple(scores[i][place] for i in here),
                    choice=ways[here[0]] if here else None,
                    design=design,
                    width=asked if place == shared["dataset"] and shared["trained"] != 0 else None,
                )
            )
    return ordered(found)


def ordered(found: Iterable[Cell]) -> list[Cell]:
    """Reference methods first, then by label and size; datasets as `places` has them."""
    found = list(found)
    rank = {d: i for i, d in enumerate(places(found))}
    first = {"zero_shot": 0, "full": 1}
    return sorted(
        found,
        key=lambda c: (
            first.get(c.method, 2),
            c.label,
            repr(c.variant),
            c.target or c.trained or 0,
            rank[c.dataset],
            rank[c.measured],
        ),
    )


def places(found: Iterable[Cell]) -> list[str]:
    """The datasets of some cells: CUHK, ICFG, RSTP as papers have them, then the others by name."""
    names = {c.dataset for c in found} | {c.measured for c in found}
    papers = ("cuhk", "icfg", "rstp", "ufine")
    return sorted(names, key=lambda d: (next((i for i, p in enumerate(papers) if p in d), len(papers)), d))


def home(found: Iterable[Cell]) -> list[Cell]:
    """The cells measured on the dataset they were trained on."""
    return [c for c in found if c.measured == c.dataset]


def leading(found: Sequence[Cell], most: int = 12) -> tuple[list[Cell], str]:
    """The cells of the reference methods and of the `most` series with the highest means, and a sentence about the
    others, empty if there are none. More lines than that cannot be told apart in one figure."""
    best: dict[str, float] = {}
    for c in found:
        if c.method not in ("zero_shot", "full"):
            best[c.key] = max(best.get(c.key, -1.0), c.score if c.values else -1.0)
    kept = set(sorted(best, key=lambda k: -best[k])[:most])
    left = len(best) - len(kept)
    words = f"shown: the {most} best series; {left} more are in the tables" if left else ""
    return [c for c in found if c.key in kept or c.key not in best], words
