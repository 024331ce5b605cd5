"""What tables say beside their numbers: where val comes from, the other direction, tuning, caches, shared people."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from harness import registry
from reports.cells import cells, home
from reports.declared import declared
from reports.figures import cross_dataset as cross_figure
from reports.tables import budget, cost, cross_dataset, main


def changed(study, **columns):
    """The study with columns of its trials replaced: a value, or a function of the row."""
    trials = study.trials.copy()
    for name, value in columns.items():
        trials[name] = [value(row) for row in trials.to_dict("records")] if callable(value) else value
    return dataclasses.replace(study, trials=trials)


OTHERS = ("ablation", "data_fraction", "robustness")  # which the study below has nothing for


@pytest.mark.parametrize("name", [n for n in registry.names("tables") if n not in OTHERS])
def test_every_table_says_where_val_comes_from(name, whole):
    module = registry.find("tables", name)
    if name == "precision":
        seeds = {"first": 2, "width": 1.0, "most": 9, "of": "difference", "to": "full"}
        document = {**whole.study["study"], "seeds": seeds}
        whole = dataclasses.replace(whole, study={**whole.study, "study": document})
    sliced = changed(whole, val_source=lambda row: "slice of train" if row["dataset"] == "synth_icfg" else "official")
    said = "val of S-ICFG: a slice of train"
    assert any(said in note for note in module.draw(sliced).notes)
    assert not any("slice" in note for note in module.draw(whole).notes)


def test_image_to_text_stands_beside_text_to_image(whole):
    assert not any(c.key.endswith("_i2t") for c in main.draw(whole).columns)
    back = whole.scores[(whole.scores["split"] == "test") & (whole.scores["choice"] == "selected")]
    back = back[back["metric"] == "R1"].assign(direction="i2t", value=lambda f: f["value"] / 2)
    records = whole.queries.assign(direction="i2t")
    both = dataclasses.replace(
        whole, scores=pd.concat([whole.scores, back]), queries=pd.concat([whole.queries, records], ignore_index=True)
    )
    table = main.draw(both)
    heads = [(c.group, c.head) for c in table.columns if c.key.endswith("_i2t")]
    assert heads == [(place, "Rank-1 i→t") for place in ("S-CUHK", "S-ICFG", "S-RSTP")]
    for row in table.rows:
        assert row["synth_cuhk_R1_i2t"].number == pytest.approx(row["synth_cuhk_R1"].number / 2)
        # the same records in both directions: the same ties, though the means are halved
        marks = {row[key].mark for key in ("synth_cuhk_R1", "synth_cuhk_R1_i2t")}
        assert len(marks) == 1
    assert "images as queries" in " ".join(table.notes)
    assert len(main.draw(both, image_to_text=False).columns) == len(main.draw(whole).columns)


def test_what_tuning_took_is_under_the_main_table(whole):
    def search(row):
        if row["method"] in ("zero_shot", "full"):
            return None
        edge = row["method"] == "prefix"
        return json.dumps(
            {"values": {"recipe.lr": 0.1 if edge else 0.01}, "points": 7, "trials": 7, "seconds": 120.0, "edge": edge,
             "edges": ["recipe.lr"] if edge else [], "budget": "1%", "dataset": "synth_cuhk", "shared_by": 1}
        )  # fmt: skip

    notes = main.draw(changed(whole, tuned=search)).notes
    assert any(n.startswith("Each method: 7 tuning trials on val") and "LoRA 120 s" in n for n in notes)
    assert any(n.endswith("values at the edge of their range: Prefix recipe.lr=0.1") for n in notes)
    assert "Not tuned here: Full fine-tuning" in notes
    assert not any("tun" in n.replace("fine-tuning", "") for n in main.draw(whole).notes)

    def unequal(row):
        text = search(row)
        return json.dumps(json.loads(text) | {"trials": 9}) if text and row["method"] == "lora" else text

    notes = main.draw(changed(whole, tuned=unequal)).notes
    assert any("Tuning trials on val: Adapter 7, LoRA 9" in n for n in notes)


def test_trials_of_a_search_are_no_results(whole):
    """Their rows get impossible scores: if one were averaged, means would move."""
    first = whole.trials[whole.trials["seed"] == 0]
    ids = {old: f"f{old[1:]}" for old in first["id"]}
    extra = first.assign(id=first["id"].map(ids), phase="tuning", seed=100)
    scores = whole.scores[whole.scores["id"].isin(ids)]
    scores = scores.assign(id=scores["id"].map(ids), value=99.0)
    searched = [{**t, "id": ids[t["id"]], "phase": "tuning"} for t in whole.study["trials"] if t["id"] in ids]
    declaration = {**whole.study, "trials": [*whole.study["trials"], *searched]}
    lost = {**declaration["trials"][-1], "id": "f" * 16, "why": "not run"}
    both = dataclasses.replace(
        whole, study=declaration, trials=pd.concat([whole.trials, extra], ignore_index=True),
        scores=pd.concat([whole.scores, scores], ignore_index=True), missing=[lost],
    )  # fmt: skip
    assert len(declared(both)) == len(declared(whole))
    assert [(c.series, c.budget, c.values) for c in cells(both)] == [
        (c.series, c.budget, c.values) for c in cells(whole)
    ]


def test_cost_has_every_measured_column_and_marks_what_cannot_be_compared(whole):
    plain = {c.key for c in cost.draw(whole).columns}
    assert "image_ms" not in plain and "energy_kj" not in plain
    full = changed(
        whole,
        latency_image_ms=2.0, latency_image_merged_ms=lambda r: None if r["method"] == "prefix" else 1.5,
        latency_text_ms=1.0, latency_text_merged_ms=0.8, seconds_first_step=3.5, seconds_compile=12.0,
        energy_joules=4500.0, micro_batch=lambda r: 16 if r["method"] == "full" else 64,
        features_cached=lambda r: 2 if r["method"] == "prefix" and r["seed"] == 1 else 0,
    )  # fmt: skip
    table = cost.draw(full)
    assert {"image_ms", "image_merged_ms", "text_ms", "text_merged_ms", "first_step_s", "compile_s", "energy_kj"} <= {
        c.key for c in table.columns
    }
    for row in table.rows:
        prefix, whole_model = row["method"] == "Prefix", row["method"] == "Full fine-tuning"
        assert row["evaluate_s"].mark == ("†" if prefix else "")
        assert row["train_mib"].mark == ("‡" if whole_model else "")
        assert (row["image_merged_ms"].number is None) == prefix
        assert row["energy_kj"].number == 4.5
    text = " ".join(table.notes)
    assert "shortened by features from the cache" in text and "was split" in text and "cannot be merged" in text
    assert "†" not in " ".join(cost.draw(whole).notes)


def test_shared_people_are_told_under_transfer(whole):
    names = {"synth_cuhk": "cuhk_pedes", "synth_icfg": "icfg_pedes", "synth_rstp": "rstpreid"}
    real = dataclasses.replace(
        whole, trials=whole.trials.replace({"dataset": names}), scores=whole.scores.replace({"dataset": names}),
        queries=whole.queries.replace({"dataset": names}),
    )  # fmt: skip
    notes = [n for n in cross_dataset.draw(real).notes if n.startswith("ICFG-PEDES and RSTPReid: ")]
    assert len(notes) == 1 and "MSMT17" in notes[0]
    assert cross_figure.overlaps(["cuhk_pedes", "icfg_pedes"]) == []
    drawn = " ".join(cross_figure.draw(real)._supxlabel.get_text().split())
    assert "MSMT17" in drawn


def test_an_option_left_at_its_default_is_another_cell(making):
    """All captions (no option) and a tenth (one option) under one label must not be averaged."""
    study = making(seeds=2, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), holes=False, cross=False,
                   fractions=(None, 0.1))  # fmt: skip
    del study.study["study"]["grid"]["dataset.options.fraction"]
    found = home(cells(study))
    assert sorted(len(c.values) for c in found) == [2, 2]
    assert np.ptp([c.mean for c in found]) > 5


def test_heads_do_not_count_against_the_target(whole):
    cell = next(c for c in cells(whole) if c.target)
    for size, off in ((1980, -2.0), (1000, -100.0)):
        found = budget.error(dataclasses.replace(cell, target=1000, trained=size, heads=1000))
        assert found == pytest.approx(off)
    assert budget.error(dataclasses.replace(cell, target=None)) is None
