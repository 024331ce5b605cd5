"""Words in another order: some of them change places among themselves.

Severities 1 to 5: share of the words, 8, 14, 20, 40, 100 %. What word order does to retrieval: Hendriksen et al.,
arXiv 2407.15239.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._words import WORD, replaced

KIND = "texts"
SHARE = (0.08, 0.14, 0.2, 0.4, 1.0)


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    words = list(WORD.finditer(caption))
    taken = np.flatnonzero(draw.uniform(len(words)) < SHARE[severity - 1])
    order = taken[draw.permutation(len(taken))]
    return replaced(caption, {words[to].span(): words[of][0] for to, of in zip(taken, order, strict=True)})
