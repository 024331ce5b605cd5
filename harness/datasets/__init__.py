"""One file = one data set: `FOLDER`, `STATISTICS` and `load(root, **options)`. Read `cuhk_pedes.py` first.

Found by name. `synthetic/` draws and describes the four domains that ship with the harness.
"""
