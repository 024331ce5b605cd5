"""R@1, R@5, R@10: the share of queries with a match among the first k."""

import numpy as np

from harness.ranks import Ranks

CUTOFFS = (1, 5, 10)


def measure(ranks: Ranks) -> dict[str, np.ndarray]:
    """`R1`, `R5`, `R10`: 1 or 0 for each matched query, float64 [M] (`ranks.matched` says which).

    Undefined and left out for a k above the size of the gallery.
    """
    return {f"R{k}": (ranks.first <= k).astype(np.float64) for k in CUTOFFS if k <= ranks.gallery}
