"""mINP: mean over queries of matches / rank of the last match (Ye et al., TPAMI 2022)."""

import numpy as np

from harness.ranks import Ranks


def measure(ranks: Ranks) -> dict[str, np.ndarray]:
    """`mINP`: INP = number of matches / rank of the last one, float64 [M] for the matched queries, 0..1."""
    return {"mINP": ranks.positives / ranks.last}
