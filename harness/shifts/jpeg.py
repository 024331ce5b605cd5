"""JPEG with strong compression.

Severities 1 to 5: quality as Pillow counts it, 40, 28, 18, 12, 7. ImageNet-C (Hendrycks and Dietterich, ICLR 2019) has
25, 18, 15, 10, 7. Blocks are of 8 pixels at the size of the model, whatever that is.
"""

import io

import numpy as np
from PIL import Image

from harness.shifts._draws import Draws

KIND = "images"
QUALITY = (40, 28, 18, 12, 7)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    held = io.BytesIO()
    Image.fromarray(image).save(held, "JPEG", quality=QUALITY[severity - 1])
    return np.asarray(Image.open(held).convert("RGB"))
