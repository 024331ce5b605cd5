"""Data sets on disk: identities, images and captions of each split, checked and counted.

Read `split.py` first, then `annotations.py`, from which every data set is made. `quality/` is `upbench data check`,
`pipeline/` goes from JPEG to batch. Data sets, training and all above import this; it imports model and ground.
"""
