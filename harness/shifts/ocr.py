"""Mistakes of a machine that reads print: letters become signs that look like them.

Severities 1 to 5: share of the letters that have such signs, 0.5, 0.8, 1.2, 2.5, 5 %. A perturbation of Qiu et al.,
arXiv 2212.08044.
"""

from harness.shifts._draws import Draws
from harness.shifts._words import letters

KIND = "texts"
SHARE = (0.005, 0.008, 0.012, 0.025, 0.05)
ALIKE = {
    **{"a": ("o", "@"), "b": ("6", "h"), "c": ("e", "("), "d": ("cl",), "e": ("c", "3"), "f": ("t",), "g": ("9", "q")},
    **{
        "h": ("b", "n"),
        "i": ("1", "l"),
        "k": ("lc",),
        "l": ("1", "i"),
        "m": ("rn",),
        "n": ("h", "ri"),
        "o": ("0", "c"),
    },
    **{"q": ("9", "g"), "r": ("n",), "s": ("5",), "t": ("f", "7"), "u": ("v", "ii"), "v": ("u",), "w": ("vv",)},
    **{"y": ("v",), "z": ("2",)},
}


def apply(caption: str, severity: int, draw: Draws) -> str:
    """A caption to another."""
    return letters(caption, draw.uniform(len(caption)) < SHARE[severity - 1], ALIKE, draw.uniform(len(caption)))
