"""Every printed cell and every drawn mark, computed again from Parquet files: nothing of `reports` or `harness`.

Read `study.py` first; `numbers.py` has the formulas, `tables.py` the cells, `figures/` the marks of each figure,
`drawn.py` reads back what matplotlib was told to draw. The tests `test_recomputed_*.py` call them.
"""
