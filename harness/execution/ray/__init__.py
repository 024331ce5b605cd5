"""The only place that imports ray; Ray is only the executor, and nothing is read back from its files.

Read `engine.py` first, then `session.py`. Worker processes are kept from trial to trial (a new one would import torch
again), so a trial must set every seed and global that it uses. Only `harness.execution` and the command line import
this.
"""
