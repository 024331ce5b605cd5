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

FEW = 4  # cells that a note names one by one


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


def protocol(found: Iterable[Cell], where: str = "") -> str:
    """How the scores were taken, in words; `where` tells whose val."""
    found = list(found)
    ways = [CHOICES[w] for w in CHOICES if w in {c.choice for c in found}]
    measured = " or ".join(ways) or "nothing measured"
    first = f"Percent, text to image, test split, {measured}{where}"
    return "; ".join([first, *sources(found), *unreached(found)])


def means(found: Iterable[Cell]) -> str:
    """What stands behind ± where means are shown."""
    design = next((c.design for c in found if c.design), None)
    return "mean ± half of " + (f"{design.words}, 95 %, over seeds" if design else "the 95 % t interval over seeds")


def resampled(found: Iterable[Cell]) -> list[str]:
    """That an interval over seeds and identities is not that of the study's design: a sentence, or nothing."""
    words = "Identities are resampled beside seeds, so the intervals of differences are not Stein's"
    return [words] if any(c.design for c in found) else []


def unreached(found: Iterable[Cell]) -> list[str]:
    """Which intervals are wider than the study asks for, or of more than `FEW` how many: a sentence, or nothing."""
    asked = [(c, half) for c in found if (half := _half(c)) is not None]
    wide = [(c, half) for c, half in asked if _wider(c)]
    if not wide:
        return []
    width, halves = wide[0][0].width, [half for _, half in wide]
    if len(wide) > FEW:
        reach = f"± {min(halves):.2f} to {max(halves):.2f}"
        return [f"width of ± {width:g} not reached in {len(wide)} of {len(asked)} cells: {reach}"]
    told = [f"{_at(c)} on {palette.name(c.dataset)} ± {half:.2f} with {c.story}" for c, half in wide]
    return [f"width of ± {width:g} not reached: {', '.join(told)}"]


def _half(c: Cell) -> float | None:
    """Half of its interval; None without one, and where the study asks for no width."""
    return c.interval.half if c.width and c.interval else None


def _wider(c: Cell) -> bool:
    """Whether its interval is wider than the study asks for."""
    return (_half(c) or 0.0) > (c.width or 0.0) * (1 + 1e-9)


def _waits(c: Cell) -> bool:
    """Whether all that it lacks is further seeds, as its pilot asks for them."""
    return bool(c.design) and c.status == "partial" and set(c.statuses) == {"ok", "missing"}


def _at(c: Cell) -> str:
    return f"{c.series} at {c.budget}" if c.budget else c.series


def sources(found: Iterable[Cell]) -> list[str]:
    """Where val comes from, for the datasets that have no official one: a sentence, or nothing."""
    made: dict[str, list[str]] = {}
    found = [c for c in found if c.val]
    for place in places(found):
        for kind in dict.fromkeys(c.val for c in found if c.dataset == place and c.val):
            made.setdefault(kind, []).append(palette.name(place))
    return [f"val of {', '.join(where)}: a {kind}" for kind, where in made.items()]


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


def gaps(found: Sequence[Cell]) -> list[str]:
    """What a reader must know before trusting a mean: one line per kind of gap, the cells of it named.

    Of more than `FEW` cells that only wait for further seeds, how many; what `unreached` tells is not told twice.
    """
    waiting = sum(_waits(c) and not _wider(c) for c in found)
    grouped: dict[tuple[str, str], list[str]] = {}
    for c in found:
        if c.status != "ok" and not (_waits(c) and (waiting > FEW or _wider(c))):
            why = "one seed, no interval" if c.status == "single" else c.story
            grouped.setdefault((_at(c), why), []).append(c.dataset)
    everywhere = {c.dataset for c in found}
    lines: dict[str, list[str]] = {}
    for (at, why), where in grouped.items():
        there = "" if set(where) == everywhere else f" ({', '.join(palette.name(d) for d in dict.fromkeys(where))})"
        lines.setdefault(why, []).append(at + there)
    told = [f"{', '.join(some)}: {why}" for why, some in lines.items()]
    told += [f"fewer seeds so far than asked for: {waiting} cells"] * (waiting > FEW)
    return [*told, *unreached(found)]
