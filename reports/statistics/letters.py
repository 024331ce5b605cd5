"""Letters that say which of several things cannot be told apart.

Piepho, "An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons", J. Comput. Graph. Stat. 13 (2004).
"""

from __future__ import annotations

import string
from collections.abc import Collection


def letters(count: int, apart: Collection[tuple[int, int]]) -> list[str]:
    """A text of letters for each of `count` things, the best first: two share a letter exactly if they are not `apart`.

    Starts with one group of all; each pair that is told apart splits the groups that hold both, and a group that lies
    in another one is dropped. A group's letter follows the place of its best member. A number stands for a letter
    beyond z.
    """
    groups = [frozenset(range(count))] if count else []
    for one, two in sorted(apart):
        split = [
            part for group in groups for part in ([group - {one}, group - {two}] if {one, two} <= group else [group])
        ]
        unique = list(dict.fromkeys(split))
        groups = [group for group in unique if not any(group < other for other in unique)]
    groups.sort(key=sorted)
    names = [*string.ascii_lowercase, *(f"[{number}]" for number in range(27, len(groups) + 1))]
    return [
        "".join(name for name, group in zip(names, groups, strict=False) if thing in group) for thing in range(count)
    ]
