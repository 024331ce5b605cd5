"""What several shifts of captions do: find words, colours and clauses, change letters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Words of one row look alike; of two rows they do not.
COLOURS = (
    ("black",),
    ("white", "cream", "ivory"),
    ("grey", "gray", "silver"),
    ("red", "scarlet", "crimson", "maroon", "burgundy"),
    ("orange",),
    ("yellow", "gold", "golden", "mustard"),
    ("green", "olive", "emerald"),
    ("blue", "navy", "turquoise", "teal"),
    ("purple", "violet", "lavender", "plum"),
    ("pink", "rose", "salmon"),
    ("brown", "tan", "beige", "khaki", "camel", "chocolate"),
)
FAMILY = {word: row for row, words in enumerate(COLOURS) for word in words}
ATTRIBUTES = (
    *FAMILY,
    *(
        "dark",
        "light",
        "bright",
        "pale",
        "deep",
        "sky",
        "striped",
        "stripped",
        "plaid",
        "checked",
        "checkered",
        "dotted",
    ),
    *(
        "floral",
        "printed",
        "patterned",
        "plain",
        "solid",
        "denim",
        "leather",
        "long",
        "short",
        "tight",
        "loose",
        "baggy",
    ),
    *(
        "sleeveless",
        "sleeved",
        "young",
        "old",
        "middle-aged",
        "elderly",
        "slim",
        "thin",
        "tall",
        "blond",
        "blonde",
        "curly",
    ),
)


def written_like(word: str, pattern: str) -> str:
    """`word` with a capital where `pattern` has one."""
    return word.capitalize() if pattern[:1].isupper() else word


def replaced(caption: str, spans: Mapping[tuple[int, int], str]) -> str:
    """The caption with other text in place of some spans, which do not overlap."""
    for (start, end), text in sorted(spans.items(), reverse=True):
        caption = caption[:start] + text + caption[end:]
    return tidy(caption)


def tidy(caption: str) -> str:
    """One space between words, and none before a sign."""
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(caption.split()))


def letters(caption: str, chosen: np.ndarray, to: Mapping[str, Sequence[str]], among: np.ndarray) -> str:
    """The caption in which the chosen letters have become one of what `to` says of them.

    Args:
        caption: n characters.
        chosen: bool [n].
        to: Lower-case letter -> what it may become.
        among: float [n] in [0, 1), which of them.
    """
    found = []
    for letter, change, place in zip(caption, chosen.tolist(), among.tolist(), strict=True):
        others = to.get(letter.lower(), ()) if change else ()
        other = others[int(place * len(others))] if others else letter
        found.append(other.upper() if letter.isupper() else other)
    return "".join(found)
