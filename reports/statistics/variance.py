"""Where the spread of a result comes from: seeds, identities, and what the two do together.

Two crossed random effects on a table of seeds and identities, one value in each of its places:

    z[s, i] = mean + a[s] + b[i] + c[s, i]

Identities, not queries, are the second factor, since queries of one person stand or fall together. R[s] is the score of
the seed. An identity with n[i] of Q queries has z[s, i] = R[s] + (I / Q) * the sum over its queries of (x - R[s]): with
equal n its own score, and always with R[s] as the mean over identities. This is the linearisation of the ratio that the
cluster bootstrap draws anew (Cochran, Sampling Techniques, 1977, chapter 6).

The components follow from the mean squares of the two-way analysis of variance without replicates (Searle, Casella and
McCulloch, Variance Components, 1992, chapter 4), for S seeds and I identities:

    MS_s = I sum_s (z[s, .] - z)^2 / (S - 1)            seeds       V_s = (MS_s - MS_c) / I
    MS_i = S sum_i (z[., i] - z)^2 / (I - 1)            identities  V_i = (MS_i - MS_c) / S
    MS_c = sum (z - z[s, .] - z[., i] + z)^2 / ((S - 1)(I - 1))     V_c = MS_c

and the variance of the mean is V_s / S + V_i / I + V_c / (S I). V_c holds the residual as well: there is one value in
each place, so the two cannot be told apart. A negative estimate is set to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.statistics.intervals import student
from reports.statistics.power import chance, fewest


@dataclass(frozen=True)
class Components:
    """Variances in points^2 of one seed, one identity and one place of the table of both; estimates below 0 are 0.

    Attributes:
        negative: Which of "seeds" and "identities" had a negative estimate.
    """

    mean: float
    seeds: float
    identities: float
    joint: float
    n_seeds: int
    n_identities: int
    negative: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[float, float, float]:
        """What seeds, identities and both together give to the variance of the mean, points^2."""
        s, i = self.n_seeds, self.n_identities
        return self.seeds / s, self.identities / i, self.joint / (s * i)

    def spread(self, n_seeds: int | None = None, n_identities: int | None = None) -> tuple[float, float]:
        """Variance of the mean and its degrees of freedom, with other numbers of seeds and identities.

        What both do together counts once, beside seeds. Degrees of freedom: Satterthwaite, Biometrics 2 (1946).
        """
        s, i = n_seeds or self.n_seeds, n_identities or self.n_identities
        by_seed, by_identity = (self.seeds + self.joint / i) / s, self.identities / i
        total = by_seed + by_identity
        both = by_seed**2 / (s - 1) + by_identity**2 / (i - 1)
        return total, total**2 / both if both else 1.0

    def half(self, n_seeds: int | None = None, n_identities: int | None = None, level: float = 0.95) -> float:
        """Half of the interval of the mean for other seeds and other identities, points."""
        variance, df = self.spread(n_seeds, n_identities)
        return float(student((1 + level) / 2, df) * np.sqrt(variance))

    def seeds_needed(self, effect: float, wanted: float = 0.8, most: int = 10000) -> int | None:
        """Fewest seeds with which `effect` points are seen for other identities as well, these being as many.

        None where `most` are too few, as where the identities' part alone is too large.
        """

        def seen(n: int) -> bool:
            variance, df = self.spread(n_seeds=n)
            return not variance or chance(effect / np.sqrt(variance), df) >= wanted

        return fewest(seen, most)


def components(values: np.ndarray, person: np.ndarray) -> Components | None:
    """Components of `values` [seeds, queries] in percent, `person` [queries] naming the identity of each.

    None with fewer than two seeds or two identities.

    Raises:
        ValueError: `person` does not name one identity for each query.
    """
    values = np.atleast_2d(np.asarray(values, float))
    _, index, sizes = np.unique(person, return_inverse=True, return_counts=True)
    if len(index) != values.shape[1]:
        raise ValueError(f"{values.shape[1]} values but {len(index)} identities")
    sums = np.array([np.bincount(index, row) for row in values])
    s, i = sums.shape
    if s < 2 or i < 2:
        return None
    scores = values.mean(axis=1, keepdims=True)
    z = scores + (sums - sizes * scores) * (i / sizes.sum())
    mean, rows, columns = z.mean(), z.mean(axis=1, keepdims=True), z.mean(axis=0, keepdims=True)
    by_seed = i * ((rows - mean) ** 2).sum() / (s - 1)
    by_identity = s * ((columns - mean) ** 2).sum() / (i - 1)
    joint = ((z - rows - columns + mean) ** 2).sum() / ((s - 1) * (i - 1))
    found = {"seeds": float(by_seed - joint) / i, "identities": float(by_identity - joint) / s}
    # Sums of squares that are equal but for their last digits have no sign.
    small = 1e-12 * float(by_seed + by_identity + joint)
    negative = tuple(name for name, value in found.items() if value < -small)
    return Components(
        float(mean), max(found["seeds"], 0.0), max(found["identities"], 0.0), float(joint), s, i, negative
    )
