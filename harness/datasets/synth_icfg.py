"""Drawn people in the shape of ICFG-PEDES: one long caption of the identity alone, dark crops, many images each.

No official val, as in the original; written in the layout of ICFG-PEDES and read by its loader.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_icfg`.
"""

from harness.datasets import icfg_pedes
from harness.datasets.synthetic.stand_in import WithoutVal

FOLDER = "synth_icfg"
STATISTICS = None
VAL = icfg_pedes.VAL

_DRAWN = WithoutVal("icfg", icfg_pedes)
load, ladder = _DRAWN.load, _DRAWN.ladder
