"""Stein's rule (Ann. Math. Statist. 16, 1945): from the spread of a pilot to the number of seeds.

The pilot's variance alone decides, never its mean, and under normality the two are independent: so the mean of all
seeds is no chosen one, and t with the pilot's degrees of freedom gives its interval exactly. That is why the rule may
look at test, whose mean is what the width is asked for, where choosing a model by test would not be fair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """What the pilot of one cell asks for.

    Attributes:
        label, budget, dataset: The cell; `dataset` is the text of what it is measured on.
        ids: Of its pilot's trials.
        deviation: Over the scores of the pilot, or over its differences, in points; None with fewer than two.
        seeds: By what is known of the pilot, from `first` to `most`; None with fewer than two scores while it goes on.
        wanted: The same before `most` cuts it.
        decided: Whether the pilot is through, so that `seeds` holds.
    """

    label: str
    budget: str | None
    dataset: str
    ids: tuple[str, ...]
    deviation: float | None
    seeds: int | None
    wanted: int | None
    decided: bool


def told(asked: Iterable[Asked], most: int) -> str | None:
    """What pilots that are through ask for, in a line; None where none is."""
    decided = [each for each in asked if each.decided]
    if not decided:
        return None
    counts = sorted(Counter(each.seeds for each in decided if each.seeds).items())
    cut = sum((each.wanted or 0) > most for each in decided)
    words = ", ".join(f"{n} with {seeds}" for seeds, n in counts)
    return f"cells by number of seeds: {words}" + (f"; {cut} cut at {most}" if cut else "")
