"""One file = one recipe: what differs from `Recipe`'s values, with its source.

Read `irra.yaml` first; found by name.
"""
