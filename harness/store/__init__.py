"""Results: what was asked, what was measured, how runs went; nothing is ever changed in place.

Read `store.py` first; `schema.py` has the columns. `files/` is how bytes come to rest. Trials and all above write here,
`reports` reads; this wing imports nothing but the ground.
"""
