"""Compiled blocks where they pay, by clocks that are set by hand."""

from __future__ import annotations

import pytest

from harness.training.compiling import LEAST, STEPS, pays, probe


def probed(eager: float, compiled: float, took: float, left: int, warm: float = 9.0):
    """What a probe finds where steps take so long, and how it stepped."""
    now, steps = [100.0], []

    def step(quick: bool) -> None:
        now[0] += (compiled if quick else eager) + (0 if quick in steps else took if quick else warm)
        steps.append(quick)

    return *probe(step, left, lambda: now[0]), steps


@pytest.mark.parametrize(
    ("eager", "compiled", "took", "left", "kept"),
    [
        (1.0, 0.5, 40.0, 81, True),
        (1.0, 0.5, 40.0, 80, False),  # no more than what it took
        (1.0, 1.0, 0.0, 10_000, False),
        (1.0, 1.5, 40.0, 10_000, False),
        (0.25, 0.125, 300.0, 10_000, True),
    ],
)
def test_what_is_saved_must_exceed_what_compiling_takes(eager, compiled, took, left, kept):
    assert pays(eager, compiled, took, left) is kept
    found, seconds, steps = probed(eager, compiled, took, left)
    assert found is kept, "what the first step of all takes does not count"
    assert steps == [False] * (1 + STEPS) + [True] * (1 + STEPS)
    assert seconds == (1 + STEPS) * (eager + compiled) + 9.0 + took


def test_nothing_is_compiled_in_a_training_that_is_shorter_than_compiling():
    left = int(LEAST / 0.5)
    assert probed(0.5, 0.0, 0.0, left) == (False, (1 + STEPS) * 0.5 + 9.0, [False] * (1 + STEPS))
    assert probed(0.5, 0.0, 0.0, left + 1)[0]
