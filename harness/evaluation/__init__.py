"""What a model achieves and costs: features of every image and caption, ranks of the positives, metrics, cost.

Read `encode.py` first, then `ranking.py`, whose ranks every file of `metrics/` starts from. Trials and benchmarks
import this.
"""
