"""The table of where the spread comes from: components as mean covariances, not as mean squares."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from tests.reports.slow.names import NAMES
from tests.reports.slow.shown import Shown
from tests.reports.slow.study import Group, Study

HEADS = {
    "seeds": "Variance Seeds", "identities": "Variance Identities", "joint": "Variance Both",
    "seeds_share": "Share (%) Seeds", "identities_share": "Share (%) Identities", "joint_share": "Share (%) Both",
    "twice_seeds": "± with twice the seeds", "twice_identities": "± with twice the identities",
    "narrows": "Narrows more", "trials": "More trials", "trial_seconds": "s / trial", "people": "More identities",
}  # fmt: skip


def places(study: Study, g: Group) -> list[list[float]]:
    """Value of each identity under each seed: its own score where all identities have as many queries."""
    table = []
    for seed in sorted(g.ids):
        hits = study.per_query(g.ids[seed], g.dataset, "R1")
        people: dict[int, list[float]] = {}
        for row, hit in zip(study.records[g.ids[seed], g.dataset, "t2i"], hits, strict=True):
            people.setdefault(row["person"], []).append(hit)
        score, each = sum(hits) / len(hits), len(hits) / len(people)
        table.append([score + sum(hit - score for hit in people[who]) / each for who in sorted(people)])
    return table


def components(table: list[list[float]]) -> tuple[float, float, float]:
    """Seeds: what two identities have in common over seeds. Identities: what two seeds have in common over identities.
    Both: what is left of the variance over identities within a seed."""
    z = np.array(table)
    s, i = z.shape
    across, within = np.cov(z.T), np.cov(z)
    seeds = (across.sum() - np.trace(across)) / (i * (i - 1))
    identities = (within.sum() - np.trace(within)) / (s * (s - 1))
    return float(seeds), float(identities), float(np.trace(within)) / s - float(identities)


def half(parts: tuple[float, float, float], s: int, i: int) -> float:
    seeds, identities, joint = (max(part, 0) for part in parts)
    first, second = seeds / s + joint / (s * i), identities / i
    df = (first + second) ** 2 / (first**2 / (s - 1) + second**2 / (i - 1))
    return stats.t.ppf(0.975, df) * math.sqrt(first + second)


def variance(study: Study) -> list[dict[str, object]]:
    rows = []
    for g in study.groups("R1"):
        if g.label == "zero_shot":
            continue
        row: dict[str, object] = {"dataset": NAMES[g.dataset], "method": g.name, "budget": g.budget}
        row |= dict.fromkeys(HEADS)
        rows.append(row)
        if len(g.scores) < 2:
            row["R1"] = Shown(g.mean, mark=g.mark) if g.scores else Shown(text="–")
            row["narrows"] = "one seed" if g.scores else g.story
            continue
        table = places(study, g)
        s, i = len(table), len(table[0])
        found = components(table)
        parts = [max(part, 0) / n for part, n in zip(found, (s, i, s * i), strict=True)]
        row["R1"] = Shown(float(np.mean(table)), half(found, s, i), s, mark=g.mark)
        for name, part, whole in zip(("seeds", "identities", "joint"), parts, found, strict=True):
            row[name] = Shown(part, digits=3, mark="†" if whole < 0 else "")
            row[f"{name}_share"] = Shown(100 * part / sum(parts), digits=1)
        more = half(found, 2 * s, i), half(found, s, 2 * i)
        row["twice_seeds"], row["twice_identities"] = Shown(more[0]), Shown(more[1])
        row["narrows"] = "seeds" if more[0] < more[1] else "identities"
        row["trials"], row["people"] = s, i
        took = [t["seconds_total"] * (t["threads"] if t["device"] == "cpu" else 1)
                for t in g.trials if t["id"] in g.ids.values()]  # fmt: skip
        cached = any(t.get("features_cached") for t in g.trials)
        row["trial_seconds"] = Shown(float(np.median(took)), digits=1, mark="‡" * cached)
    return rows


def said(study: Study, protocol: str, one: str) -> list[str]:
    """The notes of the table."""
    cached = any(t.get("features_cached") for t in study.trials)
    return [
        f"{protocol}; ± half of the 95 % interval for other seeds and other identities, of the variance that is split "
        "here",
        "Variance of the mean in points², two crossed random effects: seeds, identities with all their queries, and "
        "what both do together with the residual",
        "† negative estimate, set to 0",
        "More trials and s / trial: what twice the seeds cost, median of the whole trial in seconds, times its "
        "processors where it ran on these; more identities: what a test set twice as large has more, no trial",
        "Longer training: told only where a study varies its epochs, by the rows of each number",
        *["The number of seeds was found, so that the intervals here are not Stein's"] * bool(study.seeds),
        *["‡ evaluation was shortened by features from the cache in at least one trial"] * cached,
        one,
    ]
