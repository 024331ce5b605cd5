"""Drawn people with short captions in the manner of the web: what a backbone meets before any adaptation.

Many cameras, few facts per caption, no look-alikes; written in the layout of CUHK-PEDES.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_broad`.
"""

from harness.datasets import cuhk_pedes
from harness.datasets.synthetic.stand_in import Drawn

FOLDER = "synth_broad"
STATISTICS = None

_DRAWN = Drawn("broad", cuhk_pedes)
load, ladder = _DRAWN.load, _DRAWN.ladder
