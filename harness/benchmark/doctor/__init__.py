"""One file = one check of `upbench doctor`: its docstring is a question, `check(setting)` gives lines.

Found by name. Read `_line.py` first. Only the command line imports this.
"""
