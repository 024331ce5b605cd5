"""Every printed cell of every table, in CSV, Markdown and LaTeX, against `slow/`; a column that it lacks fails."""

from __future__ import annotations

import csv
import html
import io
import itertools
import re

import pytest

from harness import registry
from reports import latex, literature
from tests.reports.slow import tables
from tests.reports.slow.notes import under
from tests.reports.slow.shown import latex as in_latex
from tests.reports.slow.shown import latex_rows, markdown, same

# Of a study that finds its number of seeds, beside those that have one of their own.
FOUND = ("main of width", "budget of width", "pairwise of width", "precision of width", "budget of precision",
         "variance of width", "against_full of width")  # fmt: skip
KEYS = ("dataset", "method", "budget", "a", "b", "trained_on")


@pytest.fixture(scope="module")
def drawn(recomputed, tmp_path_factory):
    """A table, and the rows that it must have."""
    others = tmp_path_factory.mktemp("others") / "literature.csv"
    made = {}

    def of(name):
        if name not in made:
            results, study = recomputed(name)
            others.write_text(study.literature)
            plain = name.partition(" of ")[0]
            more = {"literature": literature.load(others)} if plain == "main" else {}
            made[name] = registry.find("tables", plain).draw(results, **more), tables.TWINS[plain](study), study
        return made[name]

    return of


def test_every_table_has_a_slow_twin():
    assert set(tables.TWINS) == set(registry.names("tables"))


@pytest.mark.parametrize("name", [*sorted(tables.TWINS), *FOUND])
def test_every_cell_is_what_the_slow_script_computes(name, drawn):
    """Every column of every row, in the three ways a table is written."""
    table, expected, _ = drawn(name)
    columns = [c.key for c in table.columns]
    assert {key for row in expected for key in row} == set(columns)  # no column more, none less
    stub = list(itertools.takewhile(lambda key: key in KEYS, columns))
    by = {tuple(markdown(row.get(key)) for key in stub): row for row in expected}
    assert len(by) == len(expected) == len(table.rows)

    head, _, *body = [_cells(line) for line in table.markdown().splitlines() if line.startswith("|")]
    assert head == [tables.head(name.partition(" of ")[0], key) for key in columns]
    order = [by[tuple(cells[columns.index(key)] for key in stub)] for cells in body]
    assert body == [[markdown(row.get(key)) for key in columns] for row in order]
    keys = [*stub, *(key for key in columns if key not in stub)]
    assert latex_rows(latex.write(table), stub) == [[in_latex(row.get(key)) for key in keys] for row in order]
    for line, row in zip(csv.DictReader(io.StringIO(table.csv())), order, strict=True):
        for key in columns:
            same(line, key, row.get(key))


@pytest.mark.parametrize("name", [*sorted(tables.TWINS), *FOUND])
def test_every_note_is_what_the_slow_script_says(name, drawn):
    table, _, study = drawn(name)
    assert list(table.notes) == under(name.partition(" of ")[0], study)


def test_the_smallest_of_several_budgets_near_full_fine_tuning_is_named(recomputed):
    """Where more than one budget is near, the first by size."""
    results, study = recomputed("saturation")
    drawn = registry.find("tables", "saturation").draw(results, within=8.0)
    wanted = {(row["dataset"], row["method"]): row for row in tables.saturation(study, 8.0)}
    for row in drawn.rows:
        want = wanted[row["dataset"], row["method"]]
        for key in ("smallest", "sure", "law"):
            if key in row:
                assert str(row[key]) == markdown(want[key]), key


def _cells(line: str) -> list[str]:
    """Cells of a row of Markdown, as a reader sees them."""
    return [html.unescape(re.sub(r"\\(\W)", r"\1", cell.strip())) for cell in line.strip("|").split("|")]
