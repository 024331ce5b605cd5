"""Gaussian noise of a sensor in little light.

Severities 1 to 5: standard deviation of a channel of a pixel, as a share of full scale: 4, 6, 8, 12, 18 %. As in
ImageNet-C (Hendrycks and Dietterich, ICLR 2019), whose 1 and 2 are 8 and 12 %.
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._pictures import pixels

KIND = "images"
DEVIATION = (0.04, 0.06, 0.08, 0.12, 0.18)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return pixels(image + 255 * DEVIATION[severity - 1] * draw.normal(image.size).reshape(image.shape))
