"""Another person before the person: the middle of another identity's image of the gallery, at a place that is drawn.

Severities 1 to 5: it covers 8, 16, 24, 32, 45 % of the image's width, and all of its height.
"""

import numpy as np

from harness.shifts._draws import Draws

KIND = "images"
WIDTH = (0.08, 0.16, 0.24, 0.32, 0.45)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    place, other = float(draw.uniform(1)[0]), draw.other()
    width = image.shape[1]
    columns = round(WIDTH[severity - 1] * width)
    left, middle = round(place * (width - columns)), (width - columns) // 2
    covered = image.copy()
    covered[:, left : left + columns] = other[:, middle : middle + columns]
    return covered
