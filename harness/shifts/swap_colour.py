"""Another colour is asked for: words of colour become others, so that the caption describes somebody else.

Severities 1 to 5: so many words of colour, or all where there are fewer. A model that sees colours must move: this is
no noise (Hendriksen et al., arXiv 2407.15239, keep such edits apart).
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._words import COLOURS, FAMILY, WORD, replaced, written_like

KIND = "content"


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    words = [found for found in WORD.finditer(caption) if found[0].lower() in FAMILY]
    order, step = draw.permutation(len(words)), 1 + draw.integers(len(COLOURS) - 1, len(words))
    spans: dict[tuple[int, int], str] = {}
    at: np.int64
    for at in order[:severity]:
        family = (FAMILY[words[at][0].lower()] + int(step[at])) % len(COLOURS)
        spans[words[at].span()] = written_like(COLOURS[family][0], words[at][0])
    return replaced(caption, spans)
