"""One file = one metric: `measure(ranks)` gives values per query. Read `rank_k.py` first; found by name."""
