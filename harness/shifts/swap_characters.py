"""Letters typed in the wrong order: two neighbours within a word change places.

Severities 1 to 5: share of the words of three letters or more, 2, 5, 8, 16, 30 %. A perturbation of Qiu et al.,
arXiv 2212.08044.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import WORD, replaced

KIND = "texts"
SHARE = (0.02, 0.05, 0.08, 0.16, 0.3)


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    words = [found for found in WORD.finditer(caption) if len(found[0]) > 2]
    chosen, place = draw.uniform(len(words)) < SHARE[severity - 1], draw.uniform(len(words))
    spans = {}
    for word, change, where in zip(words, chosen, place, strict=True):
        text, at = word[0], int(where * (len(word[0]) - 1))
        if change:
            spans[word.span()] = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return replaced(caption, spans)
