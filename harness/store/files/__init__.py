"""How results come to rest: shards, packs and claims, on a disk or in a bucket, each byte under a checksum.

Read `shards.py` first, then `local.py`. Only `harness.store` and what must know a place on disk import this.
"""
