"""Where the spread of a study's results comes from, and how many seeds and identities a claim needs.

Read `parts.py` first: a cell's records as variances. `power.py` has the answers of `upbench power`; it and the table
`variance` import from it.
"""
