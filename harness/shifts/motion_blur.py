"""Blur along a line, of a person or camera that moves; its angle is drawn.

Severities 1 to 5: length of the line, 2, 4, 6, 9, 13 % of the image's height. Motion blur is in ImageNet-C (Hendrycks
and Dietterich, ICLR 2019) with lengths in pixels of images of 224.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._pictures import blurred, line

KIND = "images"
LENGTH = (0.02, 0.04, 0.06, 0.09, 0.13)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return blurred(image, line(LENGTH[severity - 1] * len(image), np.pi * float(draw.uniform(1)[0])))
