"""How a person is described: words, habits of writers, omissions and errors.

Read `captions.py` first. Only `harness.datasets.synthetic` imports this.
"""
