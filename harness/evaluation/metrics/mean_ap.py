"""mAP: mean over queries of the mean precision at the ranks of the matches (not interpolated)."""

import numpy as np

from harness.ranks import Ranks


def measure(ranks: Ranks) -> dict[str, np.ndarray]:
    """`mAP`: AP = mean over j of j / (rank of the j-th match), float64 [M] for the matched queries, 0..1."""
    start = ranks.offsets[ranks.matched]
    place = np.arange(len(ranks.values)) - np.repeat(start, ranks.positives) + 1
    return {"mAP": np.add.reduceat(place / ranks.values, start) / ranks.positives}
