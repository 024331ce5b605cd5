"""A box of a detector that missed the person by a little, in a direction that is drawn.

Severities 1 to 5: the box is off by 8, 16, 24, 30, 36 % of the image's sides. What the image does not show goes on as
its outermost pixels do.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._pictures import resized

KIND = "images"
OFF = (0.08, 0.16, 0.24, 0.30, 0.36)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    height, width = image.shape[:2]
    angle, off = 2 * np.pi * float(draw.uniform(1)[0]), OFF[severity - 1]
    high, wide = int(np.ceil(OFF[-1] * height)), int(np.ceil(OFF[-1] * width))
    padded = np.pad(image, ((high, high), (wide, wide), (0, 0)), mode="edge")
    top, left = high + off * height * np.sin(angle), wide + off * width * np.cos(angle)
    return resized(padded, height, width, (left, top, left + width, top + height))
