"""Words that were left out; one always stays.

Severities 1 to 5: share of the words, 7, 14, 23, 36, 55 %. A perturbation of Qiu et al., arXiv 2212.08044.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import WORD, replaced

KIND = "texts"
SHARE = (0.07, 0.14, 0.23, 0.36, 0.55)


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    words = list(WORD.finditer(caption))
    chances = draw.uniform(len(words))
    gone = chances < SHARE[severity - 1]
    if gone.all() and len(words):
        gone[chances.argmax()] = False
    return replaced(caption, {word.span(): "" for word, out in zip(words, gone, strict=True) if out})
