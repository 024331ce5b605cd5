"""One file = one metric: `measure(ranks)` gives values per query. Read `rank_k.py` first; found by name.

A value depends on the ranks of its own query and the size of the gallery alone: results are measured again when they
are read, many trials at once.
"""
