"""One file = one method. Read `lora.py` first; found by name. A file with an underscore holds what several share.

Methods import `harness.adaptation.method`, `harness.model.clip` and each other.
"""
