"""What a method is and what it promises: options, sites, trained parameters, and the sizes that a budget buys.

Read `method.py` first. `budget.py` solves for sizes; `promises.py` asks a method everything it has to keep, on the
small backbone of `probe.py`, and `started.py` whether tensors start as `starts.py` lets a method declare; `check.py`
does so for a file of the user's; `carried.py` puts a trained method back onto its backbone. Methods, training and all
above import this.
"""
