"""Little light: every channel is multiplied, and what falls between two grey levels is lost.

Severities 1 to 5: factor 0.8, 0.7, 0.6, 0.45, 0.3. ImageNet-C (Hendrycks and Dietterich, ICLR 2019) has the opposite,
brightness.
"""

import numpy as np
from PIL import Image, ImageEnhance

from harness.shifts._draws import Draws

KIND = "images"
FACTOR = (0.8, 0.7, 0.6, 0.45, 0.3)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(image)).enhance(FACTOR[severity - 1]))
