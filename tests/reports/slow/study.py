"""A study as its Parquet files and its declaration have it: groups of trials that differ in nothing but the seed."""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy import stats

from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.numbers import Mean, drawn, student, two_stage, variance

HITS = {"R1": 1, "R5": 5, "R10": 10}
FAILURES = ("infeasible", "diverged", "oom", "failed", "pruned", "missing")  # the most telling first
TABLES = ("trials", "scores", "queries", "history")


@dataclass
class Group:
    """The trials that differ in nothing but the seed, measured on one data set."""

    label: str
    budget: str | None
    dataset: str
    fraction: float | None
    lr: float
    depth: int | None
    trials: list[dict]  # rows of the table of trials, by seed
    lost: Counter = field(default_factory=Counter)  # status -> trials without a score
    scores: dict[int, float] = field(default_factory=dict)  # seed -> percent
    ids: dict[int, str] = field(default_factory=dict)
    first: int | None = None  # seeds of the pilot, where the number of seeds is found
    width: float | None = None  # half of the interval that is asked for, of this score

    def of(self, column: str) -> float | None:
        """Median over the seeds for which it is known."""
        known = [t[column] for t in self.trials if t.get(column) is not None]
        return float(np.median(known)) if known else None

    @property
    def name(self) -> str:
        return NAMES.get(self.label, self.label)

    @property
    def series(self) -> str:
        """The name, with the amount of data where a study varies that."""
        return self.name if self.fraction is None else f"{self.name} fraction={self.fraction:g}"

    @property
    def size(self) -> float:
        """Parameters: trained, or else wanted."""
        return self.of("trained") or self.of("budget_parameters") or 0

    @property
    def mean(self) -> float:
        return sum(self.scores.values()) / len(self.scores)

    @property
    def interval(self) -> Mean:
        if self.first is not None and len(self.scores) > 1:
            return two_stage(self.scores, self.first)
        return student(list(self.scores.values()))

    @property
    def status(self) -> str:
        """ok, single, partial, or why there is no score."""
        if not self.scores:
            return next(s for s in FAILURES if s in self.lost)
        alone = len(self.scores) == 1 and self.of("trained") != 0
        return "partial" if self.lost else "single" if alone else "ok"

    @property
    def mark(self) -> str:
        """The star of one seed, or of fewer than declared."""
        return "*" if self.status in ("single", "partial") else ""

    @property
    def story(self) -> str:
        words = {"oom": "out of memory", "missing": "not run"}
        lost = ", ".join(f"{n} {words.get(s, s)}" for s, n in sorted(self.lost.items()))
        n = len(self.scores)
        if not n:
            return lost if len(self.lost) > 1 else words.get(next(iter(self.lost)), next(iter(self.lost)))
        whole = n + sum(self.lost.values())
        return f"{n} of {whole} seeds ({lost})" if self.lost else f"{n} seed" + "s" * (n > 1)


class Study:
    """The tables of a study as lists of rows, and what it declares."""

    def __init__(self, folder: Path, declared: list[dict], seeds: dict | None = None) -> None:
        self.trials, self.scores, self.queries, self.history = (
            pq.read_table(folder / f"{name}.parquet").to_pylist() for name in TABLES
        )
        self.declared = declared
        self.seeds = seeds  # first, width, most, of, to: where the number of seeds is found
        self.literature = (folder / "literature.csv").read_text(encoding="utf-8")
        self.published = list(csv.DictReader(self.literature.splitlines()))
        self.known: dict[tuple[str, str, str], list[float]] = {}
        self.records: dict[tuple[str, str, str], list[dict]] = {}
        for row in self.queries:
            if row["split"] == "test" and row["first"] is not None:
                self.records.setdefault((row["id"], row["dataset"], row["direction"]), []).append(row)

    def groups(
        self, metric: str, choice: str = "selected", on: str | None = None, split: str = "test", direction: str = "t2i"
    ) -> list[Group]:
        """All groups with their scores, measured on the data set trained on or on `on`: what is not trained first, then
        full fine-tuning, then the methods by name, each by rising size."""
        done = {row["id"]: row for row in self.trials}
        values = {
            (s["id"], s["dataset"]): s["value"]
            for s in self.scores
            if (s["metric"], s["split"], s["choice"], s["direction"]) == (metric, split, choice, direction)
        }
        plain = (metric, split, direction) == ("R1", "test", "t2i") and on is None
        first = self.seeds["first"] if self.seeds else None
        width = self.seeds["width"] if self.seeds and self.seeds["of"] == "mean" and plain else None
        made: dict[tuple, Group] = {}
        for told in sorted(self.declared, key=lambda t: t["seed"]):
            trial = told["trial"]
            cut, depth = trial["dataset"]["options"].get("fraction"), trial["options"].get("depth")
            key = (told["label"].split(" ")[0], told["budget"], told["dataset"], cut, trial["recipe"]["lr"], depth)
            asked = width if told["label"] != "zero_shot" else None
            group = made.setdefault(key, Group(*key, trials=[], first=first, width=asked))
            row = done.get(told["id"])
            value = values.get((told["id"], on or told["dataset"]))
            if row is None:
                group.lost["missing"] += 1
                continue
            group.trials.append(row)
            if row["status"] == "ok" and value is not None:
                group.scores[told["seed"]], group.ids[told["seed"]] = value, told["id"]
            else:
                group.lost["failed" if row["status"] == "ok" else row["status"]] += 1
        turn = {"zero_shot": 0, "full": 1}
        return sorted(
            made.values(),
            key=lambda g: (
                *(turn.get(g.label, 2), g.label, g.fraction or 0, g.lr, g.depth or 0),
                *(g.of("budget_parameters") or g.of("trained") or 0, PLACES.index(g.dataset)),
            ),
        )

    def per_query(self, ident: str, dataset: str, metric: str, direction: str = "t2i") -> list[float]:
        """Percent of each query of a trial."""
        if (ident, metric, direction) not in self.known:
            rows = self.records[ident, dataset, direction]
            hits = [row["ap"] if metric == "mAP" else row["first"] <= HITS[metric] for row in rows]
            self.known[ident, metric, direction] = [100.0 * hit for hit in hits]
        return self.known[ident, metric, direction]

    def difference(self, a: Group, b: Group, metric: str, direction: str = "t2i") -> tuple[Mean, float]:
        """a - b with its interval over seeds and identities, and p."""
        seeds = [s for s in sorted(a.ids) if s in b.ids]
        one, two = (np.array([self.per_query(g.ids[s], g.dataset, metric, direction) for s in seeds]) for g in (a, b))
        gap = one - two
        people: dict[int, list[int]] = {}
        for q, row in enumerate(self.records[a.ids[seeds[0]], a.dataset, direction]):
            people.setdefault(row["person"], []).append(q)
        by_query = gap.mean(axis=0)
        sums = np.array([sum(by_query[q] for q in people[who]) for who in sorted(people)])
        sizes = np.array([len(people[who]) for who in sorted(people)])
        n = len(sums)
        means = [float(times @ sums) / float(times @ sizes) for times in drawn(n)]
        people_part = variance(means)
        per_seed = [float(row.mean()) for row in gap]
        seeds_part = variance(per_seed) / len(seeds) if len(seeds) > 1 else 0.0
        both = people_part + seeds_part
        if not both:
            return Mean(float(gap.mean()), 0.0, len(seeds)), 1.0 if gap.mean() == 0 else 0.0
        df = both**2 / (people_part**2 / (n - 1) + seeds_part**2 / max(len(seeds) - 1, 1))
        mean, error = float(gap.mean()), math.sqrt(both)
        return Mean(mean, stats.t.ppf(0.975, df) * error, len(seeds)), 2 * stats.t.sf(abs(mean) / error, df)

    def right(self, group: Group, seeds: list[int]) -> list[bool]:
        """Which queries have a right first match in the median over some seeds."""
        rows = [self.per_query(group.ids[s], group.dataset, "R1") for s in seeds]
        return [float(np.median(values)) >= 50 for values in zip(*rows, strict=True)]

    def firsts(self, group: Group, seeds: list[int]) -> list[float]:
        """Rank of the first match of each query, the median over some seeds."""
        rows = [[r["first"] for r in self.records[group.ids[s], group.dataset, "t2i"]] for s in seeds]
        return [float(np.median(values)) for values in zip(*rows, strict=True)]


def pairs(groups: list[Group]) -> list[tuple[Group, Group]]:
    """All pairs, the better one first."""
    return list(itertools.combinations(sorted(groups, key=lambda g: -g.mean), 2))


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, score) that none beats: cheaper or as cheap, and better or as good."""
    return [p for p in points if not any(q[0] <= p[0] and q[1] >= p[1] and q != p for q in points)]
