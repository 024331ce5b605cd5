"""Letters that were not typed.

Severities 1 to 5: share of the letters, 0.5, 1, 1.5, 3, 6 %. A perturbation of Qiu et al., arXiv 2212.08044.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import tidy

KIND = "texts"
SHARE = (0.005, 0.01, 0.015, 0.03, 0.06)


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    gone = draw.uniform(len(caption)) < SHARE[severity - 1]
    return tidy("".join(letter for letter, out in zip(caption, gone, strict=True) if not (out and letter.isalpha())))
