"""One file = one loss: `loss(...)`, which is passed what its arguments ask for. Read `sdm.py` first; found by name.

`image` and `text` are float [B, d] and not normalised, row i of both is a pair; `person` is int64 [B]. A loss is a pure
function of tensors, without a wait for their values, and gives a scalar. `HEADS` names the modules that it trains
beside the backbone (`harness/training/heads.py`).
"""
