"""Every drawn mark of every figure against `slow/`: what is drawn and not wanted fails, and the reverse."""

from __future__ import annotations

import importlib

import pandas as pd
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from harness import registry
from reports import inspected
from reports.drawing import style
from tests.reports.made import OTHERWISE
from tests.reports.slow import drawn
from tests.reports.slow.drawn import compare

FIGURES = registry.names("figures")


@pytest.fixture(scope="module")
def figure(recomputed, inspection):
    """A figure by name as it is drawn once, and the marks that it must have."""
    made = {}

    def of(name):
        if name not in made:
            plain = name.partition(" of ")[0].rstrip("'")
            inside = plain in inspected.FIGURES
            results, study = (None, inspection.folder) if inside else recomputed(name)
            module = registry.find("figures", plain)
            sheet = module.draw(results, "cvpr", inspection) if inside else module.draw(results)
            twin = importlib.import_module(f"tests.reports.slow.figures.{plain}")
            made[name] = sheet, twin.wanted(study)
        return made[name]

    return of


@pytest.mark.parametrize("name", [*FIGURES, *(f"{name}'" for name in OTHERWISE), "budget_curve of width"])
def test_every_mark_is_what_the_slow_script_computes(name, figure):
    sheet, wanted = figure(name)
    wrong = compare(drawn.marks(sheet), wanted)
    assert not wrong, "\n".join(wrong)


# The columns of the numbers beside a figure that say where a marker stands, or how long a bar is.
COLUMNS = {
    "budget_curve": ("trained_parameters", "mean"), "budget_curve_map": ("trained_parameters", "mean"),
    "saturation": ("trained_parameters", "mean"), "data_fraction": ("amount", "mean"), "hyper_lines": ("value", "mean"),
    "cost_curve": ("x", "mean"), "tsne": ("x", "y"), "critical_difference": ("mean_rank",), "ablation": ("difference",),
    "shift_heatmap": ("mean",), "shift_curve": ("severity", "mean"), "mmi_budget": ("trained_parameters", "mean"),
    "cost_bars": ("value",), "cross_dataset": ("mean",), "grid_heatmap": ("mean",),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_beside_a_figure_are_those_of_its_marks(name, figure):
    """The CSV beside a figure, by the artist that each row names."""
    sheet, _ = figure(name)
    artists = {a.get_gid(): a for a in sheet.findobj() if a.get_gid()}
    rows = [row for row in style.numbers(sheet).to_dict("records") if isinstance(row["gid"], str)]
    assert rows
    for row in rows:
        artist, numbers = artists[row["gid"]], [row[column] for column in COLUMNS[name]]
        if pd.isna(numbers[-1]):
            told = isinstance(artist, Text) and artist.get_text() in "–×"
            assert told or (isinstance(artist, Line2D) and artist.get_marker() == "x")
        elif isinstance(artist, Line2D):
            assert artist.get_xydata()[0][: len(numbers)] == pytest.approx(numbers)
        elif isinstance(artist, Rectangle):
            assert [artist.get_width()] == pytest.approx(numbers)
        else:
            assert artist.get_text().rstrip("*").replace("−", "-") == f"{numbers[0]:.1f}"
        if bar := artists.get(f"{row['gid']}-interval"):
            lowest, highest = bar.axes.get_ylim()
            ends = max(row["low"], lowest), min(row["high"], highest)
            assert bar.get_ydata() == pytest.approx(ends)
