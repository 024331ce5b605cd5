"""Models that stay after their trials: kept beside the row, and put together again from it.

Read `model.py` first. `attached.py` is also how a trial itself begins. `trial`, `api` and `cli` import it.
"""
