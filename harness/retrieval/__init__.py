"""A trained model put to use: sentences and images to features, a folder of images searched by a sentence.

Read `model.py` first, then `index.py`. Only `api` and `cli` may import this wing.
"""
