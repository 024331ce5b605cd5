"""Run many trials: Ray Tune on the cores and GPUs of a machine or cluster, or a plain loop in this process.

Only this package imports ray, and Ray is only the executor: a trial commits its own result to the store, and what is
left to do is always read from there, never from Ray's files. Worker processes are kept from trial to trial (a new
process would import torch again for each), so a trial must set every seed and global that it uses.
"""

from harness.tune.executor import execute
from harness.tune.outcome import Event, Outcome
from harness.tune.session import Session

__all__ = ["Event", "Outcome", "Session", "execute"]
