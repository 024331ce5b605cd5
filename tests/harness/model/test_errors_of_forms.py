"""The table of docs/models.md has every form, and none of its errors has grown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.harness.model import errors_of_forms

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
ROW = re.compile(r"^\| (read|written) \| (.+) \| (\de[-+]\d+) \|$", re.MULTILINE)


@pytest.mark.slow
def test_the_table_is_that_of_the_page():
    page, found = (
        {row[:2]: float(row[2]) for row in ROW.findall(text)} for text in (PAGE.read_text(), errors_of_forms.table())
    )
    assert list(page) == list(found) and len(page) == 22
    # Ten times as far is another computation; below one rounding nothing is told.
    grown = {row: error for row, error in found.items() if error > 10 * max(page[row], 1e-7) or error > 1e-5}
    assert not grown
