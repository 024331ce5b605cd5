"""Memory: whether an error means that there was not enough, letting go of it, and its peak on every device."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from pathlib import Path

import torch

# What CUDA, cuBLAS, cuDNN, oneDNN, torch's allocators and C++ say; torch raises some of them as a plain RuntimeError.
TEXTS = re.compile(
    r"out of memory|(can't|cannot|could not|failed to) allocate|not enough memory|_ALLOC_FAILED|std::bad_alloc", re.I
)
PROCESS = Path("/proc/self")


def exhausted(fault: BaseException) -> bool:
    """Whether the error says that memory ran out, on the host or on an accelerator."""
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(fault, RuntimeError) and bool(TEXTS.search(str(fault)))


def release(device: torch.device) -> None:
    """Give back what nothing refers to; call it outside of the `except` block, whose traceback keeps tensors alive."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


class Peak:
    """Peak memory since it was made.

    On a GPU the bytes that torch has allocated. On a CPU the growth of the process's resident memory over its size at
    the start, as Linux counts it (`VmHWM`, reset through `clear_refs`). Everything in the process counts, pages of
    memory-mapped files too; what the C library keeps of freed memory is given back before, as far as it can be.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._start = device, None
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError, AttributeError):  # another C library: what it kept is not counted as growth
                ctypes.CDLL(None).malloc_trim(0)
            try:
                (PROCESS / "clear_refs").write_text("5")
                self._start = _status("VmRSS")
            except OSError:
                pass  # not Linux, or not allowed: not measured

    def bytes(self) -> int | None:
        """The peak so far; None where it is not measured."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        if self._start is None or (highest := _status("VmHWM")) is None:
            return None
        return max(0, highest - self._start)


def _status(key: str) -> int | None:
    """A line of /proc/self/status, in bytes."""
    for line in (PROCESS / "status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None
