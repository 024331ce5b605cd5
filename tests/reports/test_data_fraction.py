"""Accuracy against the amount of training data, by what was drawn and written."""

from __future__ import annotations

import dataclasses
import json

import pytest

from reports.cells import cells, home
from reports.drawing import style
from reports.figures import data_fraction as figure
from reports.figures import hyper_lines
from reports.tables import data_fraction as table

SHARES = (0.01, 0.1, 0.5, 1.0)


@pytest.fixture(scope="module")
def study(making):
    return making(seeds=3, methods=("zero_shot", "full", "lora"), budgets=("1%",), places=("synth_cuhk", "synth_icfg"),
                  holes=False, cross=False, fractions=SHARES)  # fmt: skip


def test_points_are_the_means_at_their_share(study):
    drawn = figure.draw(study)
    frame = style.numbers(drawn)
    joined = study.trials.merge(
        study.scores.query("metric == 'R1' and split == 'test' and choice == 'selected'"), on=["id", "dataset"]
    )
    joined["amount"] = [json.loads(o).get("fraction") for o in joined["dataset_options"]]
    expected = joined.dropna(subset=["amount"]).groupby(["method", "dataset", "amount"])["value"].mean()
    assert len(frame) == len(expected) == 2 * 2 * len(SHARES)
    artists = {a.get_gid(): a for a in drawn.findobj() if a.get_gid()}
    for row in frame.itertuples():
        x, y = artists[row.gid].get_xydata()[0]
        assert x == pytest.approx(row.amount)
        assert y == pytest.approx(expected[row.label, row.trained_on, round(row.amount / 100, 6)])
        assert row.low < y < row.high
    assert [t.get_text() for t in drawn.legends[0].texts] == ["Full fine-tuning", "LoRA 1%"]
    assert any("Zero-shot" in t.get_text() for axes in drawn.axes for t in axes.texts)


def test_table_has_a_column_for_each_share(study):
    made = table.draw(study)
    assert [c.head for c in made.columns[2:]] == ["1 %", "10 %", "50 %", "100 %"]
    assert [row["method"] for row in made.rows] == ["Full fine-tuning", "LoRA 1%"] * 2
    of = {(c.label, c.dataset, dict(c.variant).get("dataset.options.fraction")): c.mean for c in home(cells(study))}
    assert made.rows[1]["fraction_10"].number == of["lora", "synth_cuhk", 0.1]
    assert any(n.startswith("No training data: S-CUHK") for n in made.notes)


def test_amounts_as_studies_write_them():
    assert [figure.amount(v, "fraction") for v in ("5%", 0.05, None, 1)] == [5.0, 5.0, 100.0, 100.0]
    assert [figure.amount(v, "identities") for v in (600, None)] == [600.0, None]


def test_an_amount_of_data_is_no_setting_to_tune(study):
    assert not hyper_lines.applies(study)
    assert not figure.applies(dataclasses.replace(study, trials=study.trials.iloc[:0]))
