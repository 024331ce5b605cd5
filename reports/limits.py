"""Limits as people write them: `1%` or `2M` of parameters, `2GB` of memory, `90s` or `2h` of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UserError
from reports.drawing import style

if TYPE_CHECKING:
    from reports.cells import Cell

PARAMETERS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "k": 1e3, "m": 1e6, "g": 1e9}
BYTES |= {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
KINDS = {
    "parameters": (PARAMETERS, "a share like 1%, or a count like 300k or 2M"),
    "memory": (BYTES, "an amount like 2GB or 512MiB"),
    "seconds": (SECONDS, "a time like 60, 90s, 5min or 2h"),
}


@dataclass(frozen=True)
class Limit:
    """At most `most` of a cost: trained parameters (or their share of all, a fraction), bytes or seconds."""

    kind: str  # parameters | share | memory | seconds
    most: float

    def of(self, cell: Cell) -> float | None:
        """What a cell needs of it; None where that was not measured."""
        if self.kind == "parameters":
            return cell.trained
        if self.kind == "share":
            return cell.share
        return cell.costs["peak_memory_train" if self.kind == "memory" else "seconds_total"]

    def allows(self, cell: Cell) -> bool:
        """Whether a cell is known to stay within the limit."""
        found = self.of(cell)
        return found is not None and found <= self.most * (1 + 1e-12)

    def words(self, value: float | None = None) -> str:
        """`value` of this cost, or the limit itself, for people."""
        value = self.most if value is None else value
        if self.kind == "share":
            return f"{style.percent(100 * value)} % of all parameters"
        if self.kind == "parameters":
            return f"{style.count(value)} parameters"
        return f"{size(value)} of memory" if self.kind == "memory" else f"{value:,.0f} s"


def parse(kind: str, text: str | float) -> Limit:
    """Read a limit; a bare number is in parameters, bytes or seconds.

    Args:
        kind: parameters | memory | seconds.
        text: As written by the user.

    Raises:
        UserError: not a number of a known unit, or not above zero.
    """
    units, expected = KINDS[kind]
    match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(%|[a-zA-Z]*)\s*", str(text))
    if not match:
        raise UserError(f"cannot read '{text}'", where=f"--{kind}", expected=expected)
    number, unit = float(match[1]), match[2].lower()
    if unit == "%" and kind == "parameters":
        limit = Limit("share", number / 100)
    elif unit in units or (kind == "memory" and unit == ""):
        limit = Limit(kind, number * units.get(unit, 1.0))
    else:
        where = f"--{kind}"
        raise UserError(f"unknown unit '{match[2]}'", where=where, expected=expected)
    if limit.most <= 0:
        raise UserError(f"'{text}' leaves nothing", where=f"--{kind}", expected=expected)
    return limit


def size(value: float) -> str:
    """Bytes for people, in binary units: 512 MiB, 1.9 GiB."""
    for scale, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= scale:
            return f"{value / scale:.1f} {unit}" if value < 100 * scale else f"{value / scale:,.0f} {unit}"
    return f"{value:.0f} B"
