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
class Results:
    """A study's measurements. `missing` lists the declared trials that have none, each with the reason in `why`.

    A `dataset` is a label: of `trials` and `missing` that of the data set trained on, of `scores` and `queries` that of
    the one measured on. `measured_on` says what each label stands for.
    """

    study: dict
    trials: pd.DataFrame
    scores: pd.DataFrame
    history: pd.DataFrame
    queries: pd.DataFrame
    missing: list[dict] = field(default_factory=list)
    measured_on: Mapping[str, MeasuredOn] = field(default_factory=dict)
