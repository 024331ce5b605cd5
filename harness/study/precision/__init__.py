"""How many seeds a cell needs for the width that a study asks for: Stein's two-stage procedure.

Read `rule.py` first, the arithmetic; `further.py` lays the trials out. `harness.api` and `harness.study.tuning` import
this; it loads neither torch nor ray.
"""
