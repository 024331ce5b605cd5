"""A camera that sees less colour, and at last none, as an infrared one does at night.

Severities 1 to 5: what is left of the colour, 0.8, 0.65, 0.53, 0.3, 0: the image is blended with its grey one (luma of
ITU-R 601).
"""

import numpy as np
from PIL import Image, ImageEnhance

from harness.shifts._draws import Draws

KIND = "images"
COLOUR = (0.8, 0.65, 0.53, 0.3, 0.0)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    return np.asarray(ImageEnhance.Color(Image.fromarray(image)).enhance(COLOUR[severity - 1]))
