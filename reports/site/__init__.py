"""A static site over the studies of a store: a leaderboard, and a page for each study and each method.

Read `site.py` first: what is written where. `entries.py` has the rows of the leaderboard. Only `harness/api/` imports
this; `templates.py` also serves the page of one study.
"""
