"""Studies: YAML in, frozen values out, every fault in one pass with its line; searches on val; seeds by precision.

Read `study.py` first, then `grid.py`, which spreads a study into trials. `docs/studies.md` describes the language.
Reading a study loads neither torch nor ray. The command line imports this.
"""
