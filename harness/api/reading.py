"""A study's results as tables, and its figures, tables and page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api import asking
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.store.store import Results


def name_of(study: str | Path) -> str:
    """The name by which results of a study are kept, from it or from the study's file."""
    return Path(study).stem if str(study).endswith((".yaml", ".yml")) else str(study)


def results(study: str | Path, *, store: str | Path | None = None, tuning: bool = False) -> Results:
    """A study's measurements as pandas frames: `trials`, `scores`, `history`, `queries`; every byte is checked.

    `trials` has one row per trial that is through, whatever became of it (`status`); `scores` one per trial, data set,
    split, choice of the epoch, direction and metric (`value` in percent); `history` one per epoch; `queries` one per
    query, with the rank of its first match. `id` joins them. `upbench list columns` has every column with its unit.
    Values that were not measured are null. `missing` lists the declared trials that have no row, with `why`.

    Args:
        study: Its name, or its file.
        store: As for `plan`.
        tuning: With the trials of a search, which are no results.

    Raises:
        UserError: no such study in the store, with the nearest known name.
        DataError: files of the store that are not what was committed.
    """
    from harness.store.store import Store

    return Store(asking.places(store)[0]).read(name_of(study), tuning=tuning)


def report(
    study: str | Path,
    out: str | Path | None = None,
    *,
    preset: str = "cvpr",
    only: Sequence[str] = (),
    inspection: bool = False,
    store: str | Path | None = None,
) -> list[Path]:
    """Draw the figures and tables of a study from what is committed; gaps are shown as gaps.

    Args:
        study: Its name, or its file.
        out: Folder to write; default `out/STUDY`.
        preset: cvpr, ieee, wide or slides: the size of the figures.
        only: Names of figures and tables; empty for all that apply.
        inspection: Show the newest `upbench inspect` too: the page then holds images of the data set.
        store: As for `plan`.

    Returns:
        The files written, the page first.

    Raises:
        UserError: no such study, figure, table or preset.
        DataError: no trial of the study is committed, or none was inspected.
    """
    return drawn(study, out, preset, only, inspection, store)[1]


def drawn(
    study: str | Path,
    out: str | Path | None,
    preset: str,
    only: Sequence[str],
    inspection: bool,
    store: str | Path | None,
    refresh: int | None = None,
    partial: bool = False,
) -> tuple[Results, list[Path]]:
    """As `report`, with the results; a page reloads itself every `refresh` seconds, and may be empty if `partial`."""
    from harness.store.store import Store
    from reports import inspected, page

    name, place = name_of(study), asking.places(store)[0]
    page.check(only, preset)
    found = results(name, store=place)
    if not len(found.trials) and not partial:
        raise DataError(f"no trial of study '{name}' is committed", where=place, expected=f"upbench run {study} first")
    seen = inspected.latest(Path(Store(place).root), found.trials["id"]) if inspection else None
    if inspection and seen is None:
        missing = f"no trial of study '{name}' was inspected"
        raise DataError(missing, where=place, expected=f"upbench inspect {study}")
    return found, page.report(found, out or Path("out") / name, preset, only, refresh, inspection=seen)
