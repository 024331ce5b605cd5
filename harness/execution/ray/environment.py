"""Environment variables that must be set before ray is imported."""

from __future__ import annotations

import os

# Niceness: Ray's default of 15 starves trials beside any other job.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",  # told as an event instead
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}


def prepare(threads: int | None = None) -> None:
    """Set what Ray reads at import or start, except what the user has set."""
    for name, value in (ENVIRONMENT | ({"OMP_NUM_THREADS": str(threads)} if threads else {})).items():
        os.environ.setdefault(name, value)
