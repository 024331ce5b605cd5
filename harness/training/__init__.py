"""How parameters are trained: recipe, losses and their heads, optimizer, step and loop.

Read `loop.py` first: a training is a generator of steps that knows no method and no data set. Trials and benchmarks
import this; it imports adaptation, data, model and ground.
"""
