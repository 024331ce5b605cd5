"""Drawn people in the shape of RSTPReid: formal captions, fifteen cameras in changing light, five images each.

One image per camera; written in the layout of RSTPReid and read by its loader.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_rstp`.
"""

from harness.datasets import rstpreid
from harness.datasets.synthetic.stand_in import Drawn

FOLDER = "synth_rstp"
STATISTICS = None

_DRAWN = Drawn("rstp", rstpreid)
load, ladder = _DRAWN.load, _DRAWN.ladder
