"""One file = one table: `draw(results)`. Read `main.py` first; found by name."""
