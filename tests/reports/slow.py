"""Numbers of the reports, computed again in the plainest way from a study's Parquet files and its declaration.

Nothing here is taken from `reports` or `harness`: own formulas, own names, loops where the reports have products of
matrices. Conventions that both share: Student's t at 95 % over seeds; identities drawn 2000 times by a multinomial of
`default_rng(0)`; the law's rates on a grid of 120, its bootstrap of 500 normal draws of `default_rng(0)`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy import stats

NAMES = {
    "zero_shot": "Zero-shot", "full": "Full fine-tuning", "lora": "LoRA", "prefix": "Prefix", "adapter": "Adapter",
    "up_person": "UP-Person", "l_adapter": "L-Adapter", "s_prefix": "S-Prefix", "synth_cuhk": "S-CUHK",
    "synth_icfg": "S-ICFG", "synth_rstp": "S-RSTP",
}  # fmt: skip
HITS = {"R1": 1, "R5": 5, "R10": 10}


@dataclass
class Mean:
    """A mean over seeds or a difference: with half of its interval, and the number of seeds."""

    mean: float
    half: float | None
    n: int


@dataclass
class Group:
    """The trials that differ in nothing but the seed, measured on one data set."""

    label: str
    budget: str | None
    dataset: str
    fraction: float | None
    trials: list[dict]  # rows of the table of trials, by seed
    lost: Counter = field(default_factory=Counter)  # status -> trials without a score
    scores: dict[int, float] = field(default_factory=dict)  # seed -> percent
    ids: dict[int, str] = field(default_factory=dict)

    def of(self, column: str) -> float | None:
        """Median over the seeds for which it is known."""
        known = [t[column] for t in self.trials if t.get(column) is not None]
        return float(np.median(known)) if known else None

    @property
    def mean(self) -> float:
        return sum(self.scores.values()) / len(self.scores)

    @property
    def interval(self) -> Mean:
        return student(list(self.scores.values()))

    @property
    def mark(self) -> str:
        """The star of one seed, or of fewer than declared."""
        alone = len(self.scores) == 1 and self.of("trained") != 0
        return "*" if self.scores and (self.lost or alone) else ""

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

    def __init__(self, folder: Path, declared: list[dict]) -> None:
        self.trials, self.scores, self.queries = (
            pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("trials", "scores", "queries")
        )
        self.declared = declared
        self.known: dict[tuple[str, str], list[float]] = {}
        self.records: dict[tuple[str, str], list[dict]] = {}
        for row in self.queries:
            if row["split"] == "test" and row["direction"] == "t2i" and row["first"] is not None:
                self.records.setdefault((row["id"], row["dataset"]), []).append(row)

    def groups(self, metric: str, choice: str = "selected", on: str | None = None) -> list[Group]:
        """All groups with the scores on test, measured on the data set trained on, or on `on`."""
        done = {row["id"]: row for row in self.trials}
        values = {
            (s["id"], s["dataset"]): s["value"]
            for s in self.scores
            if (s["metric"], s["split"], s["choice"], s["direction"]) == (metric, "test", choice, "t2i")
        }
        made: dict[tuple, Group] = {}
        for told in sorted(self.declared, key=lambda t: t["seed"]):
            cut = told["trial"]["dataset"]["options"].get("fraction")
            key = (told["label"].split(" fraction=")[0], told["budget"], told["dataset"], cut)
            group = made.setdefault(key, Group(*key, trials=[]))
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
        return list(made.values())

    def per_query(self, ident: str, dataset: str, metric: str) -> list[float]:
        """Percent of each query of a trial."""
        if (ident, metric) not in self.known:
            rows = self.records[ident, dataset]
            hits = [row["ap"] if metric == "mAP" else row["first"] <= HITS[metric] for row in rows]
            self.known[ident, metric] = [100.0 * hit for hit in hits]
        return self.known[ident, metric]

    def difference(self, a: Group, b: Group, metric: str) -> tuple[Mean, float]:
        """a - b with its interval over seeds and identities, and p."""
        seeds = [s for s in sorted(a.ids) if s in b.ids]
        one, two = (np.array([self.per_query(g.ids[s], g.dataset, metric) for s in seeds]) for g in (a, b))
        gap = one - two
        people: dict[int, list[int]] = {}
        for q, row in enumerate(self.records[a.ids[seeds[0]], a.dataset]):
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


@functools.cache
def drawn(identities: int) -> np.ndarray:
    """How often each identity is in each of 2000 samples [draws, identities]."""
    times = np.random.default_rng(0).multinomial(identities, [1 / identities] * identities, size=2000)
    return times.astype(float)


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / (len(values) - 1)


def student(values: list[float]) -> Mean:
    """Mean with half of its 95 % t interval."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * math.sqrt(variance(values) / n) if n > 1 else None
    return Mean(sum(values) / n, half, n)


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p: the i-th smallest times what is left, never falling, at most one."""
    found, last = [0.0] * len(p), 0.0
    for turn, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        last = found[i] = max(last, min(1.0, (len(p) - turn) * p[i]))
    return found


def mcnemar(a: list[bool], b: list[bool]) -> tuple[int, int, float]:
    """Right alone, each, and the exact p."""
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    n = only_a + only_b
    return only_a, only_b, float(stats.binomtest(only_a, n, 0.5).pvalue) if n else 1.0


def wilcoxon(gaps: list[float]) -> float:
    """Two-sided exact p of the signed-rank test up to 50 pairs without ties, by counting sums of ranks."""
    gaps = [g for g in gaps if g]
    ranks = stats.rankdata([abs(g) for g in gaps])
    if len(set(ranks)) < len(ranks) or len(ranks) > 50:
        return float(stats.wilcoxon(gaps).pvalue)
    n = len(gaps)
    ways = [1] + [0] * (n * (n + 1) // 2)
    for r in range(1, n + 1):
        ways = [w + (ways[s - r] if s >= r else 0) for s, w in enumerate(ways)]
    smaller = int(min(sum(r for r, g in zip(ranks, gaps, strict=True) if (g > 0) is up) for up in (True, False)))
    return min(1.0, 2 * sum(ways[: smaller + 1]) / 2**n)


def power(effect: float, deviation: float, n: int, level: float = 0.05) -> float:
    """Of the paired t test: an integral over the chi distribution of the deviation, on a fine grid."""
    df, shift = n - 1, abs(effect) / deviation * math.sqrt(n)
    grid = np.linspace(stats.chi.ppf(1e-12, df), stats.chi.isf(1e-12, df), 20001)
    edge = stats.t.ppf(1 - level / 2, df) * grid / math.sqrt(df)
    seen = (stats.norm.cdf(shift - edge) + stats.norm.cdf(-shift - edge)) * stats.chi.pdf(grid, df)
    return float(np.trapezoid(seen, grid))


@functools.cache
def detectable(n: int) -> float:
    """The difference that is seen with 80 %, in deviations."""
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, 1.0, n) >= 0.8 else (middle, high)
    return high


def law(points: list[Group]) -> dict:
    """score = ceiling - drop (x / smallest) ^ -rate, by least squares on a grid of rates, with its bootstrap."""
    x = np.array([g.of("trained") for g in points])
    n = np.array([len(g.scores) for g in points])
    means = np.array([g.mean for g in points])
    squares = sum((v - g.mean) ** 2 for g in points for v in g.scores.values())
    spread = math.sqrt(squares / (n.sum() - len(points)))
    x = x / x.min()

    def fit(y: np.ndarray, rates: np.ndarray) -> tuple[float, float, float]:
        w = n / n.sum()
        basis = x[None] ** -rates[:, None]  # [rates, sizes]
        drop = -(w * (basis - (w * basis).sum(axis=1)[:, None]) * (y - (w * y).sum())).sum(axis=1)
        drop = np.maximum(drop / (w * (basis - (w * basis).sum(axis=1)[:, None]) ** 2).sum(axis=1), 0)
        ceiling = (w * y).sum() + drop * (w * basis).sum(axis=1)
        error = (w * (y - ceiling[:, None] + drop[:, None] * basis) ** 2).sum(axis=1)
        k = int(np.argmin(error))
        return float(ceiling[k]), float(drop[k]), float(rates[k])

    grid = np.geomspace(0.05, 4.0, 120)
    _, _, coarse = fit(means, grid)
    ceiling, drop, rate = fit(means, coarse * np.geomspace(0.96, 1.04, 81))
    noise = np.random.default_rng(0).normal(0, 1, (500, len(x)))
    ceilings = [fit(ceiling - drop * x**-rate + row * spread / np.sqrt(n), grid)[0] for row in noise]
    low, high = np.quantile(ceilings, [0.025, 0.975])
    return {"ceiling": ceiling, "drop": drop, "rate": rate, "low": low, "high": high, "spread": spread}


def pairs(groups: list[Group]) -> list[tuple[Group, Group]]:
    """All pairs, the better one first."""
    return list(itertools.combinations(sorted(groups, key=lambda g: -g.mean), 2))


def short(value: float) -> str:
    """A count for people: three figures at most, with K, M or G."""
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= scale:
            size = value / scale
            text = f"{size:.2f}" if size < 9.95 else f"{size:.1f}" if size < 99.5 else f"{size:.0f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + unit
    return f"{value:.0f}"
