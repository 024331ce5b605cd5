"""What shifts take from each group of trials, and the rows of their table: loops over seeds, shifts and severities."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tests.reports.slow import numbers
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.numbers import Mean, variance
from tests.reports.slow.shown import Shown
from tests.reports.slow.study import Group, Study

LABEL = re.compile(r"(\w+) \(severity (\d+), shift (\w+)(?:, shift_seed \d+)?\)")
# By kind, in the order of their names.
KINDS = {
    "images": ("motion_blur", "occlusion"),
    "texts": ("lower_case", "typos"),
    "content": ("drop_attribute", "swap_colour"),
}


@dataclass
class Seed:
    """A number of one seed, and the same in each of the drawn samples of people; None without records."""

    value: float
    drawn: np.ndarray | None


Numbers = dict[int, Seed]  # by seed


@dataclass
class Line:
    """One group of trials, the seeds that have a score everywhere, and the labels it was measured under."""

    group: Group
    seeds: list[int]
    at: dict[tuple[str, int], list[str]]  # shift and severity -> labels of the data sets
    whole: int  # seeds declared

    @property
    def status(self) -> str:
        if len(self.seeds) < self.whole:
            return "partial"
        return "single" if len(self.seeds) == 1 and self.group.label != "zero_shot" else "ok"

    @property
    def name(self) -> str:
        return f"{self.group.name} {self.group.budget}" if self.group.budget else self.group.name


def lines(study: Study, place: str) -> list[Line]:
    """The groups trained on a data set that have scores under shifts."""
    labels = {row["dataset"]: LABEL.fullmatch(row["dataset"]) for row in study.scores}
    shifted = {label: m for label, m in labels.items() if m and m[1] == place}
    under = {label: study.groups("R1", on=label) for label in sorted(shifted)}
    found = []
    for k, g in enumerate(study.groups("R1")):
        if g.dataset != place or not g.scores:
            continue
        seeds, at = set(g.scores), {}
        for label, groups in under.items():
            if groups[k].scores:
                seeds &= set(groups[k].scores)
                at.setdefault((shifted[label][3], int(shifted[label][2])), []).append(label)
        found.append(Line(g, sorted(seeds), at, len(g.scores) + sum(g.lost.values())))
    return found


def severities(every: Sequence[Line], shift: str) -> list[int]:
    return sorted({s for one in every for name, s in one.at if name == shift})


def right(study: Study, ident: str, label: str) -> list[bool] | None:
    rows = study.records.get((ident, label, "t2i"))
    return None if rows is None else [row["first"] <= 1 for row in rows]


def _seed(study: Study, ident: str, place: str, hits: list[bool] | None, score: float) -> Seed:
    """Percent of hits, and in each sample of people."""
    if hits is None:
        return Seed(score, None)
    people: dict[int, list[bool]] = {}
    for row, hit in zip(study.records[ident, place, "t2i"], hits, strict=True):
        people.setdefault(row["person"], []).append(hit)
    sums = np.array([sum(people[who]) for who in sorted(people)], float)
    sizes = np.array([len(people[who]) for who in sorted(people)], float)
    times = numbers.drawn(len(sums))
    return Seed(100 * sum(hits) / len(hits), 100 * (times @ sums) / (times @ sizes))


def clean(study: Study, one: Line) -> Numbers:
    g = one.group
    return {s: _seed(study, g.ids[s], g.dataset, right(study, g.ids[s], g.dataset), g.scores[s]) for s in one.seeds}


def number(study: Study, one: Line, label: str, what: str, whole: Numbers) -> Numbers:
    """One data set's: what is `retained`, the `mmi`, or what is `still` first."""
    g, found = one.group, {}
    scores = {(row["id"], row["dataset"]): row["value"] for row in study.scores if row["dataset"] == label}
    recorded = all(right(study, g.ids[s], label) is not None for s in one.seeds)
    for s in one.seeds:
        hits = right(study, g.ids[s], label) if recorded else None
        was = whole[s]
        if what == "still":
            before = right(study, g.ids[s], g.dataset)
            hits = hits and [a and b for a, b in zip(before, hits, strict=True)]
        left = _seed(study, g.ids[s], g.dataset, hits, scores[g.ids[s], label])
        if what == "retained":
            found[s] = left
        elif what == "still":
            found[s] = Seed(100 * left.value / was.value, None if hits is None else 100 * left.drawn / was.drawn)
        else:
            drawn = None if left.drawn is None else 100 * (was.drawn - left.drawn) / was.drawn
            found[s] = Seed(100 * (was.value - left.value) / was.value, drawn)
    return found


def over(
    study: Study, every: Sequence[Line], one: Line, what: str, shifts: Sequence[str], severity: int = 0
) -> Numbers | None:
    """Means over what was drawn, over severities (or at one), then over shifts; None if something lacks."""
    whole, by_shift = clean(study, one), []
    for shift in shifts:
        by_severity = []
        for s in [severity] if severity else severities(every, shift):
            if (shift, s) not in one.at:
                return None
            each = [number(study, one, label, what, whole) for label in one.at[shift, s]]
            if what == "still" and any(seed.drawn is None for some in each for seed in some.values()):
                return None
            by_severity.append(_mean(each))
        by_shift.append(_mean(by_severity))
    return _mean(by_shift)


def _mean(each: list[Numbers]) -> Numbers:
    made = {}
    for s in each[0]:
        drawn = [some[s].drawn for some in each]
        lacks = any(d is None for d in drawn)
        made[s] = Seed(sum(some[s].value for some in each) / len(each), None if lacks else sum(drawn) / len(each))
    return made


def told(found: Numbers, people: int) -> tuple[Mean, float]:
    """Mean over seeds with its interval for other seeds and people, and p that it is nothing."""
    values = [seed.value for seed in found.values()]
    mean, n = sum(values) / len(values), len(values)
    spread = variance(values) / n if n > 1 else 0.0
    if any(seed.drawn is None for seed in found.values()):
        if n == 1:
            return Mean(mean, None, 1), 1.0
        return Mean(mean, stats.t.ppf(0.975, n - 1) * math.sqrt(spread), n), _p(mean, spread, n - 1)
    draws = sum(seed.drawn for seed in found.values()) / n
    by_people = variance([d for d in draws if math.isfinite(d)])
    total = by_people + spread
    if not total:
        return Mean(mean, 0.0, n), float(mean == 0)
    df = total**2 / (by_people**2 / (people - 1) + spread**2 / max(n - 1, 1))
    return Mean(mean, stats.t.ppf(0.975, df) * math.sqrt(total), n), _p(mean, total, df)


def _p(mean: float, spread: float, df: float) -> float:
    return 2 * float(stats.t.sf(abs(mean) / math.sqrt(spread), df)) if spread else float(mean == 0)


PEOPLE = {"synth_cuhk": 60, "synth_icfg": 40}


def gap(a: Numbers, b: Numbers) -> Numbers:
    found = {}
    for s in a:
        if s in b:
            lacks = a[s].drawn is None or b[s].drawn is None
            found[s] = Seed(a[s].value - b[s].value, None if lacks else a[s].drawn - b[s].drawn)
    return found


def compared(found: list[Numbers | None], place: str, lowest: bool = True) -> tuple[int, set[int]]:
    """Position of the best, and those that cannot be told from it; -1 where there is none."""
    known = [k for k, some in enumerate(found) if some is not None]
    if not known:
        return -1, set()
    sign = 1 if lowest else -1
    best, *others = sorted(known, key=lambda k: sign * told(found[k], PEOPLE[place])[0].mean)
    gaps = [gap(found[best], found[k]) for k in others]
    adjusted = numbers.holm([told(some, PEOPLE[place])[1] if some else 1.0 for some in gaps])
    return best, {k for k, p in zip(others, adjusted, strict=True) if p > 0.05}


def robustness(study: Study) -> list[dict[str, object]]:
    """The rows of the table."""
    rows = []
    everything = (*KINDS["images"], *KINDS["texts"])
    columns = {
        "clean": ("clean", (), False), "retained": ("retained", everything, False),
        "mmi_images": ("mmi", KINDS["images"], True), "mmi_texts": ("mmi", KINDS["texts"], True),
        "still_first": ("still", KINDS["content"], None),
    }  # fmt: skip
    for place in PLACES[:2]:
        every = {id(one.group.trials[0]): one for one in lines(study, place)}
        groups = [g for g in study.groups("R1") if g.dataset == place]
        for budget in dict.fromkeys(g.budget for g in groups):
            here = [g for g in groups if g.budget == budget]
            mine = [every.get(id(g.trials[0])) for g in here]
            made = [{"dataset": NAMES[place], "method": g.name, "budget": g.budget} for g in here]
            for key, (what, shifts, lowest) in columns.items():
                found = [
                    None if one is None else clean(study, one) if what == "clean"
                    else over(study, list(every.values()), one, what, shifts) for one in mine
                ]  # fmt: skip
                best, tied = (-1, set()) if budget is None or lowest is None else compared(found, place, lowest)
                several = sum(some is not None for some in found) > 1
                for k, (g, one, some) in enumerate(zip(here, mine, found, strict=True)):
                    if some is None:
                        made[k][key] = Shown(text=g.story if one is None else "–")
                        continue
                    mark = "*" * (one.status != "ok") + "≈" * (k in tied)
                    mean, _ = told(some, PEOPLE[place])
                    made[k][key] = Shown.of(mean, mark=mark, emphasis="best" * (k == best and several))
            rows += made
    return rows


def largest(every: Sequence[Line]) -> list[Line]:
    """Each method at its largest size."""
    best: dict[str, Line] = {}
    for one in every:
        label = one.group.label
        if label not in best or one.group.size > best[label].group.size:
            best[label] = one
    return list(best.values())


def marked(every: Sequence[Line]) -> list[str]:
    """What hollow and half-filled markers mean, as far as they occur."""
    seen = {one.status for one in every}
    said = {"single": "hollow: one seed, its interval for other identities alone",
            "partial": "half-filled: fewer seeds than declared"}  # fmt: skip
    return [words for status, words in said.items() if status in seen]
