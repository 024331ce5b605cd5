"""From the results to statistics, figures, tables and one page; reads the store, and loads neither torch nor ray.

Read `cells.py` first: every figure and table starts from its cells. Only the command line imports this.
"""
