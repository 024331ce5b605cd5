"""From JPEG and sentence to batch: decode, pack, augment, encode, draw.

Read `batches.py` first. Whatever is random here is a pure function of (seed, epoch, index) by `random.py`. Trials and
benchmarks import this.
"""
