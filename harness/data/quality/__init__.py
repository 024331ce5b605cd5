"""`upbench data check`: what is wrong with a data set, told with places and counts.

Read `check.py` first. Only the command line and `reports` (which data sets show the same people: `overlap.py`) import
this.
"""
