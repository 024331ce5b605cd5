"""The marks of each figure, one file per figure with `wanted(...) -> list of Mark`. Read `common.py` first; the test
finds the others by name."""
