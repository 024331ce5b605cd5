"""Names, colours, markers and dashes as figures and tables have them, written down once more."""

from __future__ import annotations

NAMES = {
    "zero_shot": "Zero-shot", "full": "Full fine-tuning", "lora": "LoRA", "prefix": "Prefix", "adapter": "Adapter",
    "up_person": "UP-Person", "l_adapter": "L-Adapter", "s_prefix": "S-Prefix", "synth_cuhk": "S-CUHK",
    "synth_icfg": "S-ICFG", "synth_rstp": "S-RSTP", "R1": "Rank-1", "R5": "Rank-5", "R10": "Rank-10",
}  # fmt: skip
PLACES = ("synth_cuhk", "synth_icfg", "synth_rstp")

GREY, GREEN, VERMILLION, FRONT = "#767676", "#009e73", "#d55e00", "#dadada"
DASHED, DOTTED, DASHDOT, LONG = (4.0, 1.5), (1.0, 1.2), (5.0, 1.2, 1.0, 1.2), (7.0, 2.0)
# colour, marker, dash of each method; the last is of no known name, and its look follows from a hash of its label
LOOKS: dict[str, tuple[str, str, tuple]] = {
    "zero_shot": (GREY, "_", DOTTED),
    "full": ("#000000", "*", LONG),
    "up_person": (VERMILLION, "o", ()),
    "lora": ("#0072b2", "s", DASHED),
    "adapter": (GREEN, "^", DASHDOT),
    "prefix": ("#e69f00", "D", DOTTED),
    "s_prefix": ("#e69f00", "d", ()),
    "l_adapter": (GREEN, "v", ()),
}


def line(label: str, alpha: float | None = None) -> tuple:
    """Look of a line without markers."""
    colour, _, dash = LOOKS[label]
    return colour, dash, "", "", alpha


def plain(colour: str, dash: tuple = ()) -> tuple:
    """Look of a line that is no method's."""
    return colour, dash, "", "", None


def dot(colour: str, marker: str, fill: str = "") -> tuple:
    """Look of a marker alone."""
    return colour, None, marker, fill or colour, None


def entry(label: str) -> tuple:
    """Look of a line with markers, as in a legend."""
    colour, marker, dash = LOOKS[label]
    return colour, dash, marker, colour, None
