"""One file = one command; `command` is what `harness.cli.main` calls. Read `run.py` first."""
