"""Errors for people: one line that says what, where, what was expected, the nearest known name and what was kept."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right; printed as one line, without a traceback.

    Args:
        what: What is wrong, in the user's terms.
        where: File, line and key, as far as they are known.
        expected: What would have been accepted.
        nearest: The nearest known name, or None.
        kept: What was kept, so that the user knows nothing is lost.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        where: object | None = None,
        expected: str | None = None,
        nearest: str | None = None,
        kept: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.nearest, self.kept = what, where, expected, nearest, kept
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where is not None else self.what
        for before, part in (("expected ", self.expected), ("did you mean ", self.nearest), ("kept: ", self.kept)):
            if part:
                text += f"; {before}{part}" + ("?" if before.startswith("did") else "")
        return text

    def __reduce__(self) -> tuple[type[UserError], tuple[object, ...]]:
        return type(self), (self.what, self.where, self.expected, self.nearest, self.kept)


class EnvironmentFault(UserError):
    """The machine lacks something: a package, a device, a writable folder, a cluster."""

    exit_code = 3


class DataError(UserError):
    """Data on disk that cannot be used as it is."""

    exit_code = 4


class RunFailed(UserError):
    """Some trials failed; everything that finished is kept."""

    exit_code = 5


class NothingMeasured(UserError):
    """Every trial is through and none has a number; the rows that say why are kept."""

    exit_code = 6


class Preempted(UserError):
    """Stopped from outside; running the same command again continues."""

    exit_code = 75


def brief(text: str, most: int = 80) -> str:
    """A text that was given, cut to so many characters with dots in its middle, for use in a message."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is near, as to any name of more than 200 characters."""
    if len(name) > 200:
        return None
    known = list(known)
    starts = [k for k in known if name and (k.startswith(name) or name.startswith(k))]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else (starts[0] if starts else None)
