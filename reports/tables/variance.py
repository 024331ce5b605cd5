"""Where does the spread of each result come from: seeds, identities, or both together, and which more would help?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from reports.cells import Cell, cells, home, places
from reports.declared import design_of
from reports.drawing import palette
from reports.spread.parts import of_cell
from reports.statistics import Components
from reports.statistics.costs import median
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import protocol

if TYPE_CHECKING:
    from harness.store.store import Results

PARTS = ("seeds", "identities", "joint")


def applies(results: Results) -> bool:
    """Whether some cell that was trained has records of two seeds and two identities."""
    return any(of_cell(results, c)[0] for c in _trained(results))


def draw(results: Results) -> Table:
    """One row per dataset, method and budget of what is trained; variances in points^2, of the mean of the cell.

    The variance of the mean of Rank-1 is V_s / S + V_i / I + V_c / (S I), for S seeds and I identities: the columns
    Seeds, Identities and Both. `reports/statistics/variance.py` has the formulas and their sources.
    """
    every, took = _trained(results), _seconds(results)
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(every):
        breaks.append(len(rows))
        rows += [_row(results, c, took) for c in every if c.dataset == place]
    heads = {"seeds": "Seeds", "identities": "Identities", "joint": "Both"}
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("R1", palette.name("R1")),
        *(Column(part, head, "Variance") for part, head in heads.items()),
        *(Column(f"{part}_share", head, "Share (%)") for part, head in heads.items()),
        Column("twice_seeds", "twice the seeds", "± with"),
        Column("twice_identities", "twice the identities", "± with"),
        Column("narrows", "Narrows more", align="l"),
        Column("trials", "More trials"),
        Column("trial_seconds", "s / trial"),
        Column("people", "More identities"),
    )
    notes = (
        f"{protocol(every)}; ± half of the 95 % interval for other seeds and other identities, of the variance that "
        "is split here",
        "Variance of the mean in points², two crossed random effects: seeds, identities with all their queries, and "
        "what both do together with the residual",
        "† negative estimate, set to 0",
        "More trials and s / trial: what twice the seeds cost, median of the whole trial in seconds, times its "
        "processors where it ran on these; more identities: what a test set twice as large has more, no trial",
        "Longer training: told only where a study varies its epochs, by the rows of each number",
        *(["The number of seeds was found, so that the intervals here are not Stein's"] * bool(design_of(results))),
        *(
            ["‡ evaluation was shortened by features from the cache in at least one trial"]
            * any(c.costs["features_cached"] for c in every)
        ),
        "* one seed, or fewer seeds than declared",
    )
    title = "Where the spread of the mean comes from"
    return Table(title, columns, tuple(rows), notes, tuple(breaks), "variance")


def _trained(results: Results) -> list[Cell]:
    return [c for c in home(cells(results)) if c.trained != 0]


def _row(results: Results, c: Cell, took: Mapping[str, float]) -> dict[str, Entry]:
    found, why = of_cell(results, c)
    mark = "*" if c.status in ("single", "partial") else ""
    row: dict[str, Entry] = {"dataset": palette.name(c.dataset), "method": c.series, "budget": c.budget}
    if found is None:
        return row | {"R1": Value(c.mean, mark=mark, text="" if c.values else "–"), "narrows": why}
    row["R1"] = Value(found.mean, found.half(), found.n_seeds, mark=mark)
    total = sum(found.parts)
    for name, part in zip(PARTS, found.parts, strict=True):
        row[name] = Value(part, digits=3, mark="†" if name in found.negative else "")
        row[f"{name}_share"] = Value(100 * part / total if total else None, digits=1)
    seconds = median(np.array([took[ident] for ident in c.ids]))
    cached = "‡" if seconds is not None and c.costs["features_cached"] else ""
    return row | {
        "twice_seeds": Value(found.half(n_seeds=2 * found.n_seeds)),
        "twice_identities": Value(found.half(n_identities=2 * found.n_identities)),
        "narrows": narrows(found),
        "trials": found.n_seeds,
        "trial_seconds": Value(seconds, digits=1, mark=cached),
        "people": found.n_identities,
    }


def narrows(found: Components) -> str:
    """Whether twice the seeds or twice the identities give the narrower interval."""
    seeds, identities = found.half(n_seeds=2 * found.n_seeds), found.half(n_identities=2 * found.n_identities)
    if seeds == identities:
        return "neither"
    return "seeds" if seeds < identities else "identities"


def _seconds(results: Results) -> dict[str, float]:
    """Trial -> seconds of the whole of it, of each of its processors if it ran on these; NaN where not known."""
    rows = results.trials
    taken = rows["seconds_total"] * rows["threads"].where(rows["device"] == "cpu", 1)
    return dict(zip(rows["id"], taken.to_numpy(float, na_value=float("nan")), strict=True))
