"""The same for every method: wings, each of which says in its `__init__.py` what is in it and who may import it.

Read `trial/run.py` first. Imports point downwards: ground, model and store, adaptation and data, training and
evaluation, trial, study and execution, command line.
"""
