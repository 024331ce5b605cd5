"""A person far from the camera: the image is shrunk and enlarged again.

Severities 1 to 5: rows of pixels that are left of the image, 64, 44, 32, 24, 16, with columns in proportion; an image
of fewer rows is left as it is. Pixelation is in ImageNet-C (Hendrycks and Dietterich, ICLR 2019).
"""

import numpy as np

from harness.shifts._draws import Draws
from harness.shifts._pictures import resized

KIND = "images"
ROWS = (64, 44, 32, 24, 16)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    height, width = image.shape[:2]
    rows = min(ROWS[severity - 1], height)
    return resized(resized(image, rows, max(1, round(rows * width / height))), height, width)
