"""Campaigns against the store: each hurts it in every way of one kind and counts the cases that it came through.

`python -m tests.campaigns [NAME ...]` runs them in full, one line each; the ordinary tests run small variants.
"""
