"""What stands in words beside a study's numbers.

Read `sentences.py` first: how scores were taken, and what is missing or unsure. `recipes.py` tells how was trained,
`releases.py` under what. Figures, tables and the page import from here.
"""
