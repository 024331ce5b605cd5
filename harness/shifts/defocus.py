"""Blur by a disc, of a camera that is not in focus.

Severities 1 to 5: radius of the disc, 1, 1.6, 2.4, 3.4, 5 % of the image's height. Defocus blur is in ImageNet-C
(Hendrycks and Dietterich, ICLR 2019) with radii of 3 to 10 pixels of 224: 1.3 to 4.5 %.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._pictures import blurred, disc

KIND = "images"
RADIUS = (0.01, 0.016, 0.024, 0.034, 0.05)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return blurred(image, disc(RADIUS[severity - 1] * len(image)))
