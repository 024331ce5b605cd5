"""What goes into a store and what comes out of it: one trial's measurements, and those of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.store import schema

if TYPE_CHECKING:
    import pandas as pd

    from harness.measured_on import MeasuredOn


@dataclass(frozen=True)
class Record:
    """One trial's measurements, as `Store.commit` takes them.

    Every table is a list of dicts or a dict of columns; the trial's `id` is filled in. Absent values become null.
    """

    trial: Mapping[str, object]
    scores: schema.Rows = ()
    history: schema.Rows = ()
    queries: schema.Rows = ()


@dataclass(frozen=True)
class Partial:
    """How far a study has come that is not complete.

    Attributes:
        trials: Committed ones, those of a search included.
        of: Declared so far.
        open: Whether more may be declared: a search or a pilot is not through.
        phases: As `declared.phases` has them, those alone that have trials or may get some.
    """

    trials: int
    of: int
    open: bool
    phases: dict[str, dict[str, int]]

    @property
    def words(self) -> str:
        """As in '7 of 12 trials: search 4 of 4, pilot 3 of 8, further seeds not known yet'."""
        whole = f"{self.trials} of {self.of} trials" + " so far" * self.open
        told = [f"{name} {phase['done']} of {phase['declared']}" for name, phase in self.phases.items()]
        told = [text.replace("further", "further seeds") for text in told]
        if self.open and "further" in self.phases:
            known = self.phases["further"]["declared"]
            told[-1] = f"{told[-1]}, more not known yet" if known else "further seeds not known yet"
        return f"{whole}: {', '.join(told)}" if len(told) > 1 else whole


@dataclass(frozen=True)
class Results:
    """A study's measurements. `missing` lists the declared trials that have none, each with the reason in `why`.

    A `dataset` is a label: of `trials` and `missing` that of the data set trained on, of `scores` and `queries` that of
    the one measured on. `measured_on` says what each label stands for. `partial` is None of a complete study.
    """

    study: dict
    trials: pd.DataFrame
    scores: pd.DataFrame
    history: pd.DataFrame
    queries: pd.DataFrame
    missing: list[dict] = field(default_factory=list)
    measured_on: Mapping[str, MeasuredOn] = field(default_factory=dict)
    partial: Partial | None = None
