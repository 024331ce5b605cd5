"""The shades of heat maps, and the ink that can be read on them."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

# From white to Okabe-Ito blue.
SHADES = LinearSegmentedColormap.from_list("upbench", ["#FFFFFF", "#B9D7EA", "#0072B2"])

# From Okabe-Ito blue (below zero) over white to their vermillion.
DIVERGING = LinearSegmentedColormap.from_list("upbench-diverging", ["#0072B2", "#FFFFFF", "#D55E00"])


def luminance(share: float, shades: Colormap = SHADES) -> float:
    """Relative luminance, 0 to 1, of the shade at `share` in 0..1 (WCAG 2, from sRGB)."""
    rgb = np.asarray(shades(share)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def ink(share: float, shades: Colormap = SHADES) -> str:
    """Black or white, whichever has the higher contrast on the shade at `share`."""
    light = luminance(share, shades) + 0.05
    return "white" if 1.05 / light > light / 0.05 else "black"
