"""Data sets that are known to show the same people, so that scores from one to the other are not those of strangers.

A data set file says so in `OVERLAPS`: other data set -> what is shared and the source. Neither torch nor ray is loaded.
"""

from __future__ import annotations

from harness import registry
from harness.errors import UserError


def between(first: str, second: str) -> str | None:
    """What two data sets share, in a sentence that names both, or None if nothing is known; in any order."""
    for one, other in ((first, second), (second, first)):
        try:
            known = getattr(registry.find("datasets", one), "OVERLAPS", {})
        except UserError:  # results may name a data set that this installation does not have
            continue
        if other in known:
            return f"{first} and {second}: {known[other]}"
    return None
