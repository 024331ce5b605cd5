"""Environment variables that ray reads when it is imported, and how one that is imported already reads them again."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable

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


# For a Ray of our own: only who has the token is served, and only on the loopback address. The name of the second is
# that of its use on other systems. One token per process; it is in no file.
PRIVATE = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


def private() -> Callable[[], None]:
    """Close a Ray of our own to others, whatever the user has set; gives what sets the variables back."""
    before = {name: os.environ.get(name) for name in PRIVATE}
    os.environ.update(PRIVATE)
    read_again()

    def back() -> None:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        read_again()

    return back


def read_again() -> None:
    """Have a ray that is imported already take its settings from the environment once more.

    Otherwise whoever imports ray before us has a driver without a token, and the Ray begun for it answers nothing.
    """
    if core := sys.modules.get("ray._raylet"):
        # Neither name is promised by Ray; a release without them keeps what it read.
        with contextlib.suppress(AttributeError):
            core.Config.initialize("")
            core.AuthenticationTokenLoader.instance().reset_cache()
