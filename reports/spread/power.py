"""How many seeds, and how many identities, does a difference of so many points take? Told from a study as the pilot."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError, UserError, nearest
from reports.cells import Cell, cells, home
from reports.compare import paired, records_of
from reports.drawing import palette
from reports.spread.parts import of_cell, of_difference
from reports.statistics import Components, seeds_needed
from reports.tables.precision import compared

if TYPE_CHECKING:
    from harness.store.store import Results

MOST, PEOPLE = 10_000, 1_000_000  # seeds and identities beyond which no number is given


@dataclass(frozen=True)
class Answer:
    """Of one cell, or its difference to another; what cannot be told is None, and `why` says why.

    Attributes:
        deviation: Standard deviation over seeds of the score, or of the differences paired by seed, points.
        seeds_here: Fewest seeds that see the difference on these very queries.
        seeds_both: Fewest where identities are drawn as well, as many as there are; None with `never`.
        left: Variance of the mean that no number of seeds removes, points^2: that of the identities.
        never: Whether `left` alone is too much for the difference, so that no number of seeds does.
        identities_needed: Fewest identities with which that part alone would be small enough.
    """

    dataset: str
    method: str
    budget: str | None
    to: str | None = None
    seeds: int = 0
    deviation: float | None = None
    seeds_here: int | None = None
    seeds_both: int | None = None
    left: float | None = None
    never: bool = False
    identities: int | None = None
    identities_needed: int | None = None
    why: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def answers(results: Results, detect: float, of: str, to: str | None = None) -> list[Answer]:
    """One for each cell that was trained, at 5 % two-sided with a power of 80 %.

    Args:
        detect: Difference of Rank-1 on test that is to be seen, in points, above 0.
        of: `mean`, held against a number from elsewhere, or `difference` of two cells paired by seed and query.
        to: Label that the differences are to; None for the best mean on the same data at the same budget.

    Raises:
        UserError: no cell has the label.
        DataError: nothing was measured, or no cell has two seeds.
    """
    found = home(cells(results))
    trained = [c for c in found if c.trained != 0]
    if not any(c.values for c in trained):
        raise DataError("nothing that was trained has a score", expected="a study with results: upbench status")
    if max(len(c.values) for c in trained) < 2:
        raise DataError("no cell has two seeds, so there is no spread", expected="two seeds or more")
    if to is not None and to not in (known := sorted({c.label for c in found})):
        raise UserError(f"no cell '{to}'", "--to", f"one of {', '.join(known)}", nearest(to, known))
    if of == "mean":
        return [_of_mean(results, c, detect) for c in trained]
    against = [(c, compared(c, found, to) if to else _best(c, trained)) for c in trained if c.label != to]
    return [_of_difference(results, c, other, detect) for c, other in against if other is not c]


def _best(c: Cell, found: Sequence[Cell]) -> Cell | None:
    """The best mean at the same budget on the same part of the data; None if no other cell has a score there."""
    here = [o for o in found if (o.dataset, o.part, o.budget) == (c.dataset, c.part, c.budget) and o.values]
    return max(here, key=lambda o: o.score) if any(o is not c for o in here) else None


def _of_mean(results: Results, c: Cell, detect: float) -> Answer:
    parts, why = of_cell(results, c)
    return _answer(_blank(c), c.values, parts, why, detect)


def _of_difference(results: Results, c: Cell, other: Cell | None, detect: float) -> Answer:
    if not c.values or other is None:
        return replace(_blank(c), why="nothing to compare it with" if c.values else c.story)
    parts, why = of_difference(records_of(results), c, other)
    return _answer(replace(_blank(c), to=other.series), tuple(paired(c, other).values()), parts, why, detect)


def _blank(c: Cell) -> Answer:
    return Answer(palette.name(c.dataset), c.series, c.budget)


def _answer(blank: Answer, values: Sequence[float], parts: Components | None, why: str, detect: float) -> Answer:
    blank = replace(blank, seeds=len(values))
    if len(values) < 2:
        return replace(blank, why=why if not blank.to else "one seed in common" if values else "no seed in common")
    deviation = float(np.std(values, ddof=1))
    here = replace(blank, deviation=deviation, seeds_here=seeds_needed(detect, deviation, most=MOST))
    if parts is None:
        return replace(here, why=why)
    needed = seeds_needed(detect, float(np.sqrt(parts.identities)), most=PEOPLE)
    return replace(
        here,
        seeds_both=parts.seeds_needed(detect, most=MOST),
        left=parts.parts[1],
        never=needed is None or needed > parts.n_identities,
        identities=parts.n_identities,
        identities_needed=needed,
    )


def words(found: Sequence[Answer], detect: float) -> str:
    """For a terminal of 80 columns: a paragraph for each answer."""
    of = "of two methods, paired by seed and query," if any(a.to for a in found) else "of a mean from a given number"
    lines = textwrap.wrap(f"A difference of {detect:g} points {of} seen at 5 %, two-sided, with a power of 80 %", 78)
    for place in dict.fromkeys(a.dataset for a in found):
        lines += ["", place]
        for a in (a for a in found if a.dataset == place):
            name = a.method + (f" at {a.budget}" if a.budget else "") + (f" − {a.to}" if a.to else "")
            first, *others = _told(a)
            for text, indent in ((f"{name}: {first}", "  "), *((text, "    ") for text in others)):
                lines += textwrap.wrap(text, 78, initial_indent=indent, subsequent_indent=indent + "  ")
    return "\n".join(lines)


def _told(a: Answer) -> list[str]:
    if a.deviation is None:
        return [a.why]
    lines = [f"s {a.deviation:.2f} over {a.seeds} seeds", f"on these queries: {_count(a.seeds_here, MOST)} seeds"]
    if a.left is None:
        return [*lines, f"for other people: {a.why}"]
    part = f"{a.left:.3g} points² from {a.identities:,} identities"
    if a.never:
        return [
            *lines,
            f"for other people: never with these queries; {part}, {_count(a.identities_needed, PEOPLE)} needed",
        ]
    many = f"{_count(a.seeds_both, MOST)} seeds"
    return [*lines, f"for other people: {many}; {part}, at least {_count(a.identities_needed, PEOPLE)} needed"]


def _count(number: int | None, most: int) -> str:
    return f"more than {most:,}" if number is None else f"{number:,}"
