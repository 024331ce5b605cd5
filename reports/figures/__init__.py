"""One file = one figure: a reader's question and `draw(results)`. Read `budget_curve.py` first; found by name."""
