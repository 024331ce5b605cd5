"""Models that stay after their trials: kept beside the row, and put together again from it.

Read `model.py` first; `measure.py` measures them on further data sets. `attached.py` is also how a trial itself begins.
`trial`, `execution`, `api` and `cli` import it.
"""
