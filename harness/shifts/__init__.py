"""One file = one shift of test images or captions: `KIND`, `apply(thing, severity, draw)`. Read `motion_blur.py` first.

Found by name. `_shift.py` applies one to a test split, `_draws.py` has its random numbers. Only `harness/trial/` and
what is above import this; train and val are never shifted. Severities run from 1 to 5, as in ImageNet-C (Hendrycks and
Dietterich, ICLR 2019) and in Qiu et al., arXiv 2212.08044; lengths in images are shares of the image's height.
"""
