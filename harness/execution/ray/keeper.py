"""The run in a child process, so that its exit code is ours: Ray ends its driver with 1 when parts of it fail.

Signals to this process alone are passed on. Those that the terminal sends go to the child as well, by the kernel.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable

OURS = (0, 2, 3, 4, 5, 6, 70, 75)
PR_SET_PDEATHSIG = 1
TOLD = mmap.mmap(-1, 1)  # shared with the child; 1 when the reason was said


def kept(work: Callable[[], int]) -> int:
    """The exit code of `work()`, or 75 and one line when its process was ended by something else."""
    if sys.platform != "linux":
        return work()
    watched = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD}
    before, here = signal.pthread_sigmask(signal.SIG_BLOCK, watched), os.getpid()
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != here:
            os._exit(75)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()
    while True:
        caught = signal.sigwaitinfo(watched)
        if caught.si_signo != signal.SIGCHLD:
            if caught.si_code <= 0:  # by a process, not by the terminal
                os.kill(child, caught.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
    code = os.waitstatus_to_exitcode(status)
    if code in OURS:
        return code
    if not TOLD[0]:
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        told = f"stopped: the run's process was ended {how}, not by upbench; the same command continues"
        print(f"upbench: error: {told}", file=sys.stderr, flush=True)
    return 75
