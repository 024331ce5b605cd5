"""Drawn people in the shape of CUHK-PEDES: two crowd workers per image, soft bright crops, look-alikes in every split.

Two to five images per identity; written in the layout of CUHK-PEDES and read by its loader.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_cuhk`.
"""

from harness.datasets import cuhk_pedes
from harness.datasets.synthetic.stand_in import Drawn

FOLDER = "synth_cuhk"
STATISTICS = None

_DRAWN = Drawn("cuhk", cuhk_pedes)
load, ladder = _DRAWN.load, _DRAWN.ladder
