"""How many seeds a cell needs for the width that a study asks for: Stein's two-stage procedure.

Read `harness/stein.py` first, the arithmetic; `rule.py` is what a pilot asks for, `further.py` lays the trials out.
`harness.api` and `harness.study.tuning` import this; it loads neither torch nor ray.
"""
