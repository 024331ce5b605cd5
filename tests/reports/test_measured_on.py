"""A data set under two options is two data sets, in every figure, table and sentence."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.measured_on import MeasuredOn
from harness.store.store import Record, Results, Store
from reports import literature, page
from reports.cells import cells, home
from reports.compare import records_of
from reports.figures import budget_curve, cross_dataset, learning_curves, win_loss
from reports.recommend import recommend
from reports.table import Table, Value
from reports.tables import budget, cost, main, pairwise
from reports.tables import cross_dataset as transfer

SIZES = ("tiny", "demo")
HOMES = {size: {"dataset": "cuhk_pedes", "options": {"size": size}} for size in SIZES}
LABELS = {size: f"cuhk_pedes (size {size})" for size in SIZES}
# Right first matches of 20 queries: method, trained on, measured on, seed.
RIGHT = {
    (method, at, on, seed): 4 + 5 * (method == "lora") + 3 * (at == "tiny") + 2 * (at == on) + seed
    for method in ("lora", "adapter") for at in SIZES for on in SIZES for seed in (0, 1)
}  # fmt: skip


def trial_of(method: str, at: str, seed: int) -> dict[str, Any]:
    return {
        "method": method, "options": {}, "label": method, "budget": "1%", "dataset": HOMES[at], "seed": seed,
        "evaluate_on": [HOMES[size] for size in SIZES], "recipe": {"epochs": 2}, "backbone": {"name": "ViT-B-16"},
    }  # fmt: skip


@pytest.fixture(scope="module", params=["today", "release 0.1"])
def two(request, tmp_path_factory) -> Results:
    """Two methods on one data set under two options, each measured on both; once as release 0.1 kept it."""
    store = Store(tmp_path_factory.mktemp("two") / "store")
    store.probe()
    declared = []
    for number, (method, at, seed) in enumerate((m, a, s) for m in ("lora", "adapter") for a in SIZES for s in (0, 1)):
        ident, trial = f"{number:04x}", trial_of(method, at, seed)
        scores, queries = [], []
        for on in (at, *(size for size in SIZES if size != at)):
            right = RIGHT[method, at, on, seed]
            text = f'cuhk_pedes {{"size": "{on}"}}' if request.param == "today" else "cuhk_pedes"
            place = {"dataset": text, "split": "test", "direction": "t2i"}
            about = {**place, "choice": "selected", "queries": 20, "gallery": 20, "unmatched": 0}
            scores += [{**about, "metric": m, "value": 5.0 * right} for m in ("R1", "R5", "R10", "mAP", "mINP")]
            first = np.where(np.arange(20) < right, 1, 7)
            rows = {
                "query": np.arange(20),
                "person": np.arange(20) // 2,
                "positives": 1,
                "first": first,
                "ap": 1 / first,
            }
            queries.append(pd.DataFrame({**rows, "inp": 1 / first}).assign(**place))
        row = {key: trial[key] for key in ("label", "method", "budget", "seed", "options")}
        row |= {"id": ident, "dataset": "cuhk_pedes", "dataset_options": HOMES[at]["options"], "status": "ok"}
        row |= {"spec": trial, "trained": 1000, "total": 9000, "budget_parameters": 1100, "seconds_total": 1.0}
        history = [{"epoch": e, "step": e, "val_R1": 10.0 * e} for e in range(3)]
        store.commit(Record(row, scores, history, pd.concat(queries)))
        declared.append({**{k: row[k] for k in ("id", "label", "method", "budget", "seed", "dataset")}, "trial": trial})
    store.declare("two", {"name": "two"}, declared)
    return store.read("two")


def mean(method: str, at: str, on: str) -> float:
    return 5 * (RIGHT[method, at, on, 0] + RIGHT[method, at, on, 1]) / 2


def test_cells(two):
    found = {(c.label, c.dataset, c.measured): c for c in cells(two)}
    assert {key: c.mean for key, c in found.items()} == {
        (method, LABELS[at], LABELS[on]): mean(method, at, on) for method, at, on, seed in RIGHT if not seed
    }
    assert all(c.variant == () and c.seeds == (0, 1) for c in found.values())
    assert len(home(cells(two))) == 4


def test_comparisons_pair_queries_of_one_data_set(two):
    records = records_of(two)
    for c in cells(two):
        for ident, value in zip(c.ids, c.values, strict=True):
            seen = records.of(ident, c.measured)
            assert len(seen.query) == 20 and records.values(seen, "R1").mean() == value
    one, other = (c for c in home(cells(two)) if c.dataset == LABELS["tiny"])
    assert records.difference(one, other, "R1").interval.mean == one.mean - other.mean
    away = next(c for c in cells(two) if (c.dataset, c.measured) == tuple(LABELS.values()))
    assert records.aligned(one, away, "R1") is None


def rows_of(table: Table) -> list[dict]:
    return [{k: v.number if isinstance(v, Value) else v for k, v in row.items()} for row in table.rows]


def test_tables_have_a_column_or_row_for_each(two):
    shown = {row["method"]: row for row in rows_of(main.draw(two))}
    for size in SIZES:
        for method, name in (("lora", "LoRA"), ("adapter", "Adapter")):
            assert shown[name][f"{LABELS[size]}_R1"] == mean(method, size, size)
    for table in (budget, cost):
        names = [(row["dataset"], row["method"]) for row in table.draw(two).rows]
        assert len(set(names)) == len(names) == 4 and names[0][0] == "CUHK-PEDES (size demo)"
    assert [row["dataset"] for row in pairwise.draw(two).rows] == [f"CUHK-PEDES (size {s})" for s in ("demo", "tiny")]
    across = rows_of(transfer.draw(two))
    assert {(row["method"], row["trained_on"], on): row[f"{LABELS[on]}_R1"] for row in across for on in SIZES} == {
        (name, f"CUHK-PEDES (size {at})", on): mean(method, at, on)
        for method, name in (("lora", "LoRA"), ("adapter", "Adapter")) for at in SIZES for on in SIZES
    }  # fmt: skip
    assert any("whose identities may be shared" in note for note in transfer.draw(two).notes)


def test_exports_name_both(two, tmp_path):
    table = transfer.draw(two)
    heads = next(csv.reader(io.StringIO(table.csv())))
    assert {f"{label}_R1" for label in LABELS.values()} <= set(heads) and len(set(heads)) == len(heads)
    assert all(f"CUHK-PEDES (size {size}) Rank-1" in table.markdown() for size in SIZES)
    page.report(two, tmp_path, only=("main", "budget"))
    for kind in ("tex", "md", "csv"):
        text = (tmp_path / "tables" / f"budget.{kind}").read_text()
        counts = {text.count(f"CUHK-PEDES (size {size})") for size in SIZES}
        assert len(counts) == 1 and min(counts) >= 2, kind
    assert all(f"CUHK-PEDES (size {size}), Rank-1" in page.summary(two) for size in SIZES)


def test_figures_have_a_panel_for_each(two):
    for figure in (budget_curve, learning_curves, win_loss):
        frame = figure.draw(two).upbench_numbers
        key = "dataset" if "dataset" in frame else "measured_on"
        assert set(frame[key]) == set(LABELS.values()), figure.__name__
    frame = cross_dataset.draw(two).upbench_numbers
    seen = {(r.label, r.trained_on, r.measured_on): r.mean for r in frame.itertuples()}
    assert seen == {(c.label, c.dataset, c.measured): c.mean for c in cells(two)}


def test_advice_is_for_each(two):
    assert {a.dataset: a.best.cell.mean for a in recommend(two)} == {
        LABELS[size]: mean("lora", size, size) for size in SIZES
    }
    assert [a.dataset for a in recommend(two, dataset=LABELS["demo"])] == [LABELS["demo"]]
    assert len(recommend(two, dataset="cuhk_pedes")) == 2


def test_published_numbers_stand_beside_the_data_set_as_it_comes_alone(two, making):
    row = {"table": "main", "method": "M", "backbone": "B", "dataset": "cuhk_pedes", "R1": 70.0, "certainty": "paper"}
    published = pd.DataFrame([row]).reindex(columns=literature.COLUMNS)
    assert not [row for row in main.draw(two, published).rows if "published" in str(row["method"])]
    plain = making(seeds=2, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), holes=False)
    named = published.replace({"dataset": {"cuhk_pedes": "synth_cuhk"}})
    assert [row for row in main.draw(plain, named).rows if "published" in str(row["method"])]
    given = dataclasses.replace(plain, measured_on={"synth_cuhk": MeasuredOn("synth_cuhk", (("shift", '"blur"'),))})
    assert not [row for row in main.draw(given, named).rows if "published" in str(row["method"])]
