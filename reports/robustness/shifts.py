"""Which of the data sets measured on are another one under a shift, and of which kind the shift is.

A shifted data set is the data set with more options: `shift`, `severity`, and perhaps `shift_seed`. It is no further
domain: figures and tables of transfer between data sets leave it out (`domains`), and those of robustness have it
beside the data set as it comes.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import registry
from harness.errors import UserError
from reports.cells import Cell
from reports.declared import remembered

if TYPE_CHECKING:
    from harness.store.store import Results

# What a shift changes. Content edits make another query, which a good model answers otherwise: no robustness.
KINDS = ("images", "texts", "content")


@dataclass(frozen=True)
class Shifted:
    """A data set under a shift: the shift's name, its severity, and the label of the data set as it comes."""

    shift: str
    severity: int
    clean: str


@remembered
def shifted(results: Results) -> dict[str, Shifted]:
    """The shifted data sets of a study by their labels, as far as the data set as it comes is there too."""
    plain = {on.text: label for label, on in results.measured_on.items() if "shift" not in on.given}
    found = {}
    for label, on in results.measured_on.items():
        if "shift" in on.given and (clean := plain.get(on.unshifted.text)) is not None:
            found[label] = Shifted(str(on.given["shift"]), int(on.given.get("severity", 1)), clean)
    return found


def domains(results: Results, found: Iterable[Cell]) -> list[Cell]:
    """The cells that were measured on a data set without a shift."""
    under = {label for label, on in results.measured_on.items() if "shift" in on.given}
    return [c for c in found if c.measured not in under]


@functools.cache
def kind(shift: str) -> str:
    """One of `KINDS`, as the shift's file says it, read without importing it; empty for a shift that is not known."""
    try:
        tree = ast.parse(registry.source("shifts", shift).read_text(encoding="utf-8"))
    except (KeyError, UserError):
        return ""
    for node in tree.body:
        names = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(name, ast.Name) and name.id == "KIND" for name in names):
            value = getattr(node, "value", None)
            return str(value.value) if isinstance(value, ast.Constant) and value.value in KINDS else ""
    return ""
