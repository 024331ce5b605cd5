"""Measure the harness itself: ratios against naive ways, scaling, and what each method can do.

Read `ratios.py` first. Only the command line imports this.
"""
