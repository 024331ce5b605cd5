"""How a person is drawn: skeleton, clothes, things carried, place, light and camera.

Read `draw.py` first, which puts a picture together. Only `harness.datasets.synthetic` imports this.
"""
