"""Slips of the finger: letters become their neighbours on a keyboard.

Severities 1 to 5: share of the letters, 0.5, 1, 1.5, 3, 6 %. A perturbation of Qiu et al., arXiv 2212.08044.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._words import letters

KIND = "texts"
SHARE = (0.005, 0.01, 0.015, 0.03, 0.06)
ROWS = (" qwertyuiop ", " asdfghjkl  ", " zxcvbnm    ")  # of a keyboard; each stands a little right of the one above


def _neighbours() -> dict[str, str]:
    near = {}
    for row, keys in enumerate(ROWS):
        for at, key in enumerate(keys):
            found = keys[at - 1] + keys[at + 1] if key != " " else ""
            if key != " " and row > 0:
                found += ROWS[row - 1][at : at + 2]
            if key != " " and row < len(ROWS) - 1:
                found += ROWS[row + 1][at - 1 : at + 1]
            near[key] = found.replace(" ", "")
    return near


NEIGHBOURS = _neighbours()


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    chosen: np.ndarray = draw.uniform(len(caption)) < SHARE[severity - 1]
    return letters(caption, chosen, NEIGHBOURS, draw.uniform(len(caption)))
