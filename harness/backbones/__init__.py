"""Backbones that ship with the harness, one folder each in open_clip's layout, and the script that made them.

Read `pretrain.py` first. Nothing imports this; `harness.model.weights` finds the folders by name.
"""
