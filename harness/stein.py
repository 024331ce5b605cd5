"""How many seeds a pilot asks for: Stein's two-stage rule (Ann. Math. Statist. 16, 1945).

A run asks by it and reports say by it, so it stands where both may read it; it needs neither torch nor ray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

LEVEL = 0.95  # of the interval
LARGEST = 1e9  # seeds that are counted


def wanted(values: Sequence[float] | np.ndarray, width: float) -> int | None:
    """Seeds that give an interval of half-width `width` by a pilot's scores or differences: ceil((t s / width)^2).

    The degrees of freedom are those of the values that are there. None with fewer than two of them.
    """
    if len(values) < 2:
        return None
    t = float(special.stdtrit(len(values) - 1, (1 + LEVEL) / 2))
    errors = t * float(np.std(values, ddof=1)) / width
    return math.ceil(min(errors * errors, LARGEST))
