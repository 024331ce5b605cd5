"""A short description: the first clauses alone, which end at a full stop, a comma, a semicolon or the word `and`.

Severities 1 to 5: share of the words up to which clauses are kept, 80, 65, 50, 30, 0 %; the first always is.
Shortening is a perturbation of Hendriksen et al., arXiv 2407.15239.
"""

import re

from harness.shifts._draws import Draws
from harness.shifts._words import WORD, tidy

KIND = "texts"
SHARE = (0.8, 0.65, 0.5, 0.3, 0.0)
END = re.compile(r"[.,;]+\s+|\s+(?=and\s)")


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    whole = len(WORD.findall(caption))
    ends = [found.start() for found in END.finditer(caption) if WORD.search(caption[: found.start()])]
    kept = [end for end in ends if len(WORD.findall(caption[:end])) <= SHARE[severity - 1] * whole] or ends[:1]
    return tidy(caption[: kept[-1]] + ".") if kept else caption
