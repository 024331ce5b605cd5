"""Every drawn mark of every figure against `slow/`: what is drawn and not wanted fails, and the reverse."""

from __future__ import annotations

import importlib

import pytest

from harness import registry
from reports import inspected
from tests.reports.slow import drawn
from tests.reports.slow.drawn import compare

FIGURES = registry.names("figures")


@pytest.fixture(scope="module")
def figure(recomputed, inspection):
    """A figure by name as it is drawn once, and the marks that it must have."""
    made = {}

    def of(name):
        if name not in made:
            inside = name in inspected.FIGURES
            results, study = (None, inspection.folder) if inside else recomputed(name)
            module = registry.find("figures", name)
            sheet = module.draw(results, "cvpr", inspection) if inside else module.draw(results)
            twin = importlib.import_module(f"tests.reports.slow.figures.{name}")
            made[name] = sheet, twin.wanted(study)
        return made[name]

    return of


@pytest.mark.parametrize("name", FIGURES)
def test_every_mark_is_what_the_slow_script_computes(name, figure):
    sheet, wanted = figure(name)
    wrong = compare(drawn.marks(sheet), wanted)
    assert not wrong, "\n".join(wrong)
