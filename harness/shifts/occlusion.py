"""A rectangle of one colour before the person, as a pillar or a car; its place, shape and colour are drawn.

Severities 1 to 5: it covers 2, 3.5, 5, 12, 30 % of the image. After random erasing (Zhong et al., AAAI 2020).
"""

import numpy as np

from harness.shifts._draws import Draws

KIND = "images"
AREA = (0.02, 0.035, 0.05, 0.12, 0.3)


def apply(image: np.ndarray, severity: int, draw: Draws) -> np.ndarray:
    """uint8 [H, W, 3] to the same."""
    shape, down, right = draw.uniform(3)
    colour = draw.integers(256, 3).astype(np.uint8)
    height, width = image.shape[:2]
    area = AREA[severity - 1]
    tall = area ** (1 - shape)  # from all of the height to all of the width
    rows, columns = round(tall * height), round(area / tall * width)
    top, left = round(down * (height - rows)), round(right * (width - columns))
    covered = image.copy()
    covered[top : top + rows, left : left + columns] = colour
    return covered
