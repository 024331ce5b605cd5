"""What every shift does to one image and its caption: a sheet to look at, and lines of text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from harness import registry
from harness.measured_on import SEVERITIES
from harness.shifts._draws import Draws
from harness.shifts._shift import Pictures, Shift

GAP, LABEL, FONT = 8, 170, 15  # pixels


def sheet(images: np.ndarray, person: np.ndarray, index: int) -> Image.Image:
    """A row for each shift of images, a column for each severity, the image as it is in the first.

    Args:
        images: uint8 [I, 3, H, W], a gallery.
        person: int64 [I], identities.
        index: Of the image.
    """
    names = [name for name in registry.names("shifts") if Shift(name, 1).pictures]
    high, wide = (side + GAP for side in images.shape[2:])
    page = Image.new("RGB", (LABEL + wide * (1 + len(SEVERITIES)) + GAP, 3 * GAP + FONT + high * len(names)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for column, head in enumerate(("as it is", *map(str, SEVERITIES))):
        pen.text((LABEL + column * wide + (wide - GAP) / 2, GAP), head, "black", font, anchor="ma")
    for row, name in enumerate(names):
        top = 2 * GAP + FONT + row * high
        pen.text((GAP, top + high // 2), name, "black", font, anchor="lm")
        each = [Pictures(images, person, Shift(name, severity))[[index]][0] for severity in SEVERITIES]
        for column, pixels in enumerate((images[index], *each)):
            page.paste(Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))), (LABEL + column * wide, top))
    return page


def lines(caption: str, index: int) -> Iterator[str]:
    """The caption as it is, and by every shift of texts and edit of content at every severity."""
    yield f"as it is: {caption}"
    for name in registry.names("shifts"):
        if not Shift(name, 1).pictures:
            for severity in SEVERITIES:
                shifted = registry.find("shifts", name).apply(caption, severity, Draws(name, 0, index))
                yield f"{name} {severity}: {shifted}"
