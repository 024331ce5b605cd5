"""The command line. Read `main.py` first; each file in `commands/` is one command, imported when it is called.

Nothing imports this; everything else may be imported here, lazily.
"""
