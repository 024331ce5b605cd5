"""Little contrast, as in fog: the image is blended with its mean grey.

Severities 1 to 5: what is left of the contrast, 0.75, 0.63, 0.52, 0.35, 0.2. ImageNet-C (Hendrycks and Dietterich, ICLR
2019) has 0.4, 0.3, 0.2, 0.1, 0.05 of each channel's.
"""

import numpy as np
from PIL import Image, ImageEnhance

from harness.shifts._draws import Draws

KIND = "images"
FACTOR = (0.75, 0.63, 0.52, 0.35, 0.2)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(image)).enhance(FACTOR[severity - 1]))
