"""A search as it is typed: in lower case, with few signs or none.

Severities 1 to 5: share of the signs of punctuation that are left out, 20, 40, 60, 80, 100 %; lower case at each.
"""

import re

from harness.shifts._draws import Draws
from harness.shifts._words import replaced

KIND = "texts"
SHARE = (0.2, 0.4, 0.6, 0.8, 1.0)
SIGN = re.compile(r"[^\w\s'’-]+")


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    signs = list(SIGN.finditer(caption))
    gone = draw.uniform(len(signs)) < SHARE[severity - 1]
    return replaced(caption.lower(), {sign.span(): " " for sign, out in zip(signs, gone, strict=True) if out})
