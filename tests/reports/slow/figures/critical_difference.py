"""Mean ranks over all tasks, and what cannot be told apart."""

from __future__ import annotations

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import LOOKS, NAMES
from tests.reports.slow.numbers import friedman, nemenyi, ranked
from tests.reports.slow.study import Study

BLACK = names.plain("#000000")


def wanted(study: Study) -> list[Mark]:
    tasks: dict[tuple, dict[str, float]] = {}
    every = [g for g in study.groups("R1") if g.budget]
    for g in every:
        for seed, value in g.scores.items():
            tasks.setdefault((g.dataset, g.budget, seed), {})[g.label] = value
    labels = list(dict.fromkeys(g.label for g in every))
    few = [label for label in labels if sum(label in row for row in tasks.values()) <= len(tasks) / 2]
    labels = [label for label in labels if label not in few]
    whole = [[row[label] for label in labels] for row in tasks.values() if set(labels) <= set(row)]
    ranks = [ranked(row) for row in whole]
    n, count = len(labels), len(whole)
    mean = {label: sum(r[k] for r in ranks) / count for k, label in enumerate(labels)}
    order = sorted(labels, key=lambda label: mean[label])
    gap = nemenyi(n, count)
    groups = _groups([mean[label] for label in order], gap)
    span = n - 1
    found = [
        Mark("limits", 0, (n + 0.42 * span, 1 - 0.42 * span, -_depth(n, len(groups)), 2.6), ("linear", "linear")),
        Mark("line", 0, (1, 0, n, 0), BLACK),
        Mark("line", 0, (1, 1.9, 1 + gap, 1.9), ("#000000", (), "|", "#000000", None)),
        common.words(0, f"critical difference {gap:.2f}", 1 + gap / 2, 2.05),
    ]
    for rank in range(1, n + 1):
        found += [Mark("line", 0, (rank, 0, rank, 0.28), BLACK), common.words(0, f"{rank}", rank, 0.4)]
    for k, (first, last) in enumerate(groups):
        y = -0.7 * (k + 1)
        ends = (mean[order[first]] - 0.04, y, mean[order[last]] + 0.04, y)
        found.append(Mark("line", 0, ends, names.plain("#606060")))
    half = (n + 1) // 2
    for k, label in enumerate(order):
        y = -1.4 - 0.7 * len(groups) - 1.15 * (k if k < half else n - 1 - k)
        edge = 1 - 0.06 * span if k < half else n + 0.06 * span
        colour, marker, _ = LOOKS[label]
        found += [
            Mark("line", 0, (mean[label], 0, mean[label], y, edge, y), names.plain(colour)),
            Mark("line", 0, (mean[label], 0), names.dot(colour, marker)),
            common.words(0, f"{NAMES[label]} {mean[label]:.2f}", edge, y),
        ]
    p = friedman(ranks)
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    text = f"Rank-1; {count} of {len(tasks)} tasks (dataset × budget × seed), those in which all have a score"
    left = f"left out, too few scores: {', '.join(NAMES[label] for label in few)}" if few else ""
    return [*found, common.note([f"{text}; Friedman {said}", left])]


def _depth(methods: int, groups: int) -> float:
    return 2.2 + 0.7 * groups + 1.15 * ((methods + 1) // 2)


def _groups(means: list[float], gap: float) -> list[tuple[int, int]]:
    """Runs that no longer one contains: first and last of at least two whose ranks differ by less than `gap`."""
    n = len(means)
    runs = [(i, j) for i in range(n) for j in range(i + 1, n) if means[j] - means[i] < gap]
    return [r for r in runs if not any(o != r and o[0] <= r[0] and r[1] <= o[1] for o in runs)]
