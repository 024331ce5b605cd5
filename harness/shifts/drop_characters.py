"""Letters that were not typed.

Severities 1 to 5: share of the letters, 2, 5, 8, 14, 25 %. A perturbation of Qiu et al., arXiv 2212.08044.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import tidy

KIND = "texts"
SHARE = (0.02, 0.05, 0.08, 0.14, 0.25)


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    gone = draw.uniform(len(caption)) < SHARE[severity - 1]
    return tidy("".join(letter for letter, out in zip(caption, gone, strict=True) if not (out and letter.isalpha())))
