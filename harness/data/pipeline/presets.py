"""Augmentations by name, as plain values; `augment.py` carries them out.

The presets follow IRRA (Jiang & Ye, CVPR 2023), whose training transform is flip, pad and crop, normalise, erase:

    none         normalise only
    flip         mirror with probability 1/2
    flip_crop    flip; pad with black and crop at random
    irra         flip_crop; erase a rectangle with probability 1/2
    irra_mean    irra, erasing with the mean colour
    irra_colour  irra, after jitter of brightness, contrast and saturation

`irra` erases with the value `mean` *after* normalisation, as the released code does; the mean colour would be 0 there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """What is done to an image."""

    flip: bool = False
    pad: int = 0  # pixels of black on every side of an image of height 384; in proportion for other heights
    erase: str | None = (
        None  # None, or with what: "mean" (the value `mean` after normalisation) or "colour" (its colour)
    )
    jitter: float = 0.0  # factors of brightness, contrast and saturation are uniform in 1 -+ jitter


PRESETS = {
    "none": Preset(),
    "flip": Preset(flip=True),
    "flip_crop": Preset(flip=True, pad=10),
    "irra": Preset(flip=True, pad=10, erase="mean"),
    "irra_mean": Preset(flip=True, pad=10, erase="colour"),
    "irra_colour": Preset(flip=True, pad=10, erase="mean", jitter=0.2),
}
