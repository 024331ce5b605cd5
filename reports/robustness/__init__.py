"""What shifts at test time take from each cell of a study.

Read `shifts.py` first: which data sets are another one under a shift. `drops.py` has the numbers; figures and tables
import from both.
"""
