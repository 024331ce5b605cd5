"""Stores of earlier releases are read for ever: `tests/fixtures/store_v1/` was written by release 0.1.0.

`shards/` is what `upbench run` left, `packed/` the same store after the first `upbench compact` there was;
`expected.json` has what was in it, as that release read it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.store import schema
from harness.store.store import Store

KEPT = Path(__file__).parents[2] / "fixtures" / "store_v1"
EXPECTED = json.loads((KEPT / "expected.json").read_text())


@pytest.fixture(params=["shards", "packed"])
def old(request, tmp_path) -> Store:
    shutil.copytree(KEPT / request.param, tmp_path / "store")
    return Store(tmp_path / "store")


def test_a_store_of_release_0_1_is_read_as_it_was(old):
    assert old.studies() == ["small"]
    found = old.read("small")
    assert not found.missing and found.study["question"] == "Does a store of this release stay readable?"
    for name, rows in EXPECTED["tables"].items():
        columns, values = rows["columns"], rows["rows"]
        frame = getattr(found, name)
        assert set(columns) <= set(frame.columns), f"{name} lost a column"
        text = json.loads(frame[columns].to_json(orient="values", double_precision=15, date_format="iso"))
        assert text == values, f"{name} is read differently"
    assert [run["statuses"] for run in old.runs("small")] == EXPECTED["runs"]


def test_columns_that_came_later_are_null(old):
    found = old.read("small")
    later = [name for name in schema.SCHEMAS["trials"].names if name not in EXPECTED["tables"]["trials"]["columns"]]
    assert "resumes" in later and found.trials[later].isna().all().all()
    for name in schema.SCHEMAS:
        assert list(getattr(found, name).columns) == schema.SCHEMAS[name].names


def test_no_column_of_the_release_left_or_changed_its_type(old):
    for name, types in EXPECTED["types"].items():
        now = {field.name: str(field.type) for field in schema.SCHEMAS[name]}
        assert {column: now.get(column) for column in types} == types


def test_an_old_store_is_gone_on_with(old):
    old.probe()
    found = old.read("small")
    ident = found.trials["id"].iloc[0]
    assert old.done([ident]) and not old.damaged(old.ids())
    old.set_aside(ident)
    old.compact()
    assert [trial["id"] for trial in old.read("small").missing] == [ident]
    other = Store(KEPT / "shards")
    assert old.take(other, ident) == "added" and set(old.take_all(other, other.ids()).values()) == {"same"}
    pd.testing.assert_frame_equal(old.read("small").scores, found.scores)
