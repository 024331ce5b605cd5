"""Whether compiled blocks pay within a training, found by steps that are not taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

STEPS = 3  # of each way, after a first one; their median counts
LEAST = 30.0  # seconds, an assumption: where all that is left is shorter, nothing is compiled to find out


def pays(eager: float, compiled: float, took: float, left: int) -> bool:
    """Whether what the steps that are left save is more than what compiling takes.

    Args:
        eager: Seconds of a step as it is.
        compiled: Seconds of a step with compiled blocks.
        took: Seconds that compiling takes.
        left: Steps.
    """
    return (eager - compiled) * left > took


def probe(
    step: Callable[[bool], None], left: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[bool, float]:
    """Whether compiled blocks pay, and the seconds that it took to find out.

    Args:
        step: Does one step, with compiled blocks or without, and waits for its end; it is not taken.
        left: Steps of the training.
        clock: Seconds.
    """
    begin = clock()

    def timed(compiled: bool) -> float:
        start = clock()
        step(compiled)
        return clock() - start

    timed(False)
    eager = median(timed(False) for _ in range(STEPS))
    if not pays(eager, 0.0, LEAST, left):
        return False, clock() - begin
    first = timed(True)
    compiled = median(timed(True) for _ in range(STEPS))
    return pays(eager, compiled, first - compiled, left), clock() - begin
