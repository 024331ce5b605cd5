"""What a block of CLIP is made of.

Read `attention.py` first, then `mlp.py`; `token_wise.py` finds out whether a module treats each token by itself.
`harness/model/clip.py` puts them together; methods and losses may import them.
"""
