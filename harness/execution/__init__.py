"""Run many trials and tell how it goes: by Ray on a machine or cluster, or in a plain loop.

Read `executor.py` first. A trial commits its own result, and what is left to do is always read from the store, so an
executor is only that. `estimate.py` and `pilot.py` say beforehand what a study takes. The command line imports this.
"""
