"""The frozen backbone: CLIP's two towers as blocks with named sites, their weights and their words.

Read `clip.py` first: it has the equations and the sites that methods use. Only `weights.py` and `open_clip_files.py`
know open_clip; `forms.py` tells files of weights apart. Every wing above may import this one; it imports nothing but
the ground.
"""
