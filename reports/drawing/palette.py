"""Colours, markers, dashes and printed names: one look per method, the same in every figure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

# Okabe and Ito (2008): told apart with every common colour vision. Their yellow is too pale for lines on white.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#767676"  # 4.5:1 on white, so that grey text can be read
PALE = "#D9D9D9"

Dash = tuple[float, tuple[float, ...]]  # where it starts, then lengths on and off, in widths of the line
SOLID, DASHED, DOTTED, DASHDOT, LONG = (0, ()), (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (7, 2))


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash of one method."""

    colour: str
    marker: str
    dash: Dash


# Known methods: families share a colour neighbourhood only by accident; what counts is that no two look the same.
LOOKS = {
    "zero_shot": Look(GREY, "_", DOTTED),
    "full": Look(BLACK, "*", LONG),
    "up_person": Look(VERMILLION, "o", SOLID),
    "lora": Look(BLUE, "s", DASHED),
    "adapter": Look(GREEN, "^", DASHDOT),
    "prefix": Look(ORANGE, "D", DOTTED),
    "s_prefix": Look(ORANGE, "d", SOLID),
    "l_adapter": Look(GREEN, "v", SOLID),
    "bitfit": Look(PURPLE, "X", DASHED),
    "ln_tuning": Look(SKY, "P", DOTTED),
    "vpt": Look(SKY, "<", SOLID),
    "coop": Look(PURPLE, ">", DOTTED),
    "maple": Look(PURPLE, "p", SOLID),
    "clip_adapter": Look(SKY, "h", DASHDOT),
    "adaptformer": Look(GREEN, "P", DASHED),
    "parallel_adapter": Look(GREEN, "<", DOTTED),
    "ssf": Look(BLACK, "d", DASHDOT),
    "ia3": Look(BLACK, "v", DOTTED),
    "dora": Look(BLUE, "D", SOLID),
    "pissa": Look(BLUE, "^", DOTTED),
    "rslora": Look(BLUE, "X", DASHDOT),
    "vera": Look(SKY, "s", LONG),
    "dm_adapter": Look(PURPLE, "o", DASHDOT),
    "cskt": Look(ORANGE, "s", LONG),
    "mam": Look(VERMILLION, "h", DASHED),
}

NAMES = {
    "zero_shot": "Zero-shot",
    "full": "Full fine-tuning",
    "up_person": "UP-Person",
    "lora": "LoRA",
    "adapter": "Adapter",
    "prefix": "Prefix",
    "s_prefix": "S-Prefix",
    "l_adapter": "L-Adapter",
    "bitfit": "BitFit",
    "ln_tuning": "LN tuning",
    "vpt": "VPT",
    "coop": "CoOp",
    "maple": "MaPLe",
    "clip_adapter": "CLIP-Adapter",
    "adaptformer": "AdaptFormer",
    "parallel_adapter": "Parallel adapter",
    "ssf": "SSF",
    "ia3": "IA3",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "rslora": "rsLoRA",
    "vera": "VeRA",
    "dm_adapter": "DM-Adapter",
    "cskt": "CSKT",
    "mam": "MAM adapter",
    "cuhk_pedes": "CUHK-PEDES",
    "icfg_pedes": "ICFG-PEDES",
    "rstpreid": "RSTPReid",
    "rstp_reid": "RSTPReid",
    "ufine6926": "UFine6926",
    "synth_cuhk": "S-CUHK",
    "synth_icfg": "S-ICFG",
    "synth_rstp": "S-RSTP",
    "synth_broad": "S-Broad",
    "R1": "Rank-1",
    "R5": "Rank-5",
    "R10": "Rank-10",
}


def name(key: str) -> str:
    """A method's, dataset's or metric's name as papers write it, options behind it as they are; an unknown one as it
    is."""
    known, bracket, options = key.partition(" (")
    return NAMES.get(known, known) + bracket + options


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """A look for every label of a study, no two alike.

    Known names always get the same look. An unknown name starts at a place given by its own hash and moves on while
    that look is taken, and while its colour is as long as there are others, since bars show nothing else. So its look
    depends on nothing but the set of labels; give the whole study's labels to every figure. More than the 140 distinct
    looks cannot be told apart anyway: they then repeat.
    """
    labels = sorted(set(labels))
    found = {label: LOOKS[label] for label in labels if label in LOOKS}
    spare = [
        Look(colour, marker, dash)
        for dash in (SOLID, DASHED, DOTTED, DASHDOT)
        for marker in "osD^vXP"
        for colour in (SKY, PURPLE, BLUE, GREEN, ORANGE)
    ]
    spare = [look for look in spare if look not in LOOKS.values()]
    for label in labels:
        if label in found:
            continue
        start = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big") % len(spare)
        taken, colours = set(found.values()), {look.colour for look in found.values()}
        order = spare[start:] + spare[:start]
        free = [look for look in order if look not in taken]
        found[label] = next((look for look in free if look.colour not in colours), (free or order)[0])
    return found
