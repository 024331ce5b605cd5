"""Less is asked for: words of colour, pattern, length, age or build are left out, and the caption fits more people.

Severities 1 to 5: so many such words, or all where there are fewer. A model must move with what is said: this is no
noise.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import ATTRIBUTES, WORD, replaced

KIND = "content"


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    words = [found for found in WORD.finditer(caption) if found[0].lower() in ATTRIBUTES]
    order = draw.permutation(len(words))
    return replaced(caption, {words[at].span(): "" for at in order[:severity]})
