"""One trial, from its values to its row: resolve to an identity, train, choose on val, measure test once, commit.

Read `run.py` first, then `stages.py`; `spec.py` says what a trial is and `resolve.py` what its id is made of. Studies,
executors, benchmarks and the command line import this.
"""
