"""What a check gives: lines with what was measured, what was expected, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from harness import registry
from harness.errors import brief

OK, BAD, NOT = "ok", "bad", "not applicable"


@dataclass(frozen=True)
class Setting:
    """Where and how large the checks are.

    Attributes:
        device: What is examined.
        small: The sizes that a CPU gets through in seconds.
    """

    device: torch.device
    small: bool = False


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        what: What was examined.
        measured: In words, with units.
        expected: The limit; for what is not applicable the reason.
        verdict: `ok`, `bad` or `not applicable`.
        figures: The same as numbers, for what reads the file; None where nothing does.
    """

    what: str
    measured: str
    expected: str
    verdict: str
    figures: Mapping[str, object] | None = None


def within(what: str, limit: float, **errors: float) -> Line:
    """Relative errors, each of which has to be a number and at most `limit`."""
    told = ", ".join(f"{name} {value:.1e}" for name, value in errors.items())
    good = all(value <= limit for value in errors.values())
    return Line(what, told, f"at most {limit:.0e}", OK if good else BAD)


def same(what: str, differing: int, count: int, unit: str) -> Line:
    """Whether all of `count` things are what they have to be, bit for bit."""
    return Line(what, f"{differing:,} of {count:,} {unit} differ", "0", OK if count and not differing else BAD)


def absent(what: str, why: str) -> Line:
    """What cannot be examined here."""
    return Line(what, "-", why, NOT)


def examine(name: str, setting: Setting) -> Iterator[Line]:
    """The lines of a check; an error inside is a bad line, and the lines before it stay."""
    lines = 0
    try:
        for line in registry.find("checks", name).check(setting):
            lines += 1
            yield line
    except Exception as fault:
        yield Line(name, f"{type(fault).__name__}: {brief(' '.join(str(fault).split()))}", "no error", BAD)
    else:
        if not lines:
            yield Line(name, "nothing", "at least one line", BAD)
