"""Robustness by hand, on a small store: which data set is another one under a shift, and what that took."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness import registry
from harness.store.store import Record, Results, Store
from reports import page
from reports.cells import cells
from reports.figures import cross_dataset, mmi_budget, shift_curve, shift_heatmap
from reports.robustness.drops import difference, over, robustness, ties
from reports.robustness.shifts import domains, kind, shifted
from reports.statistics import Sample
from reports.tables import cross_dataset as transfer
from reports.tables import robustness as table

# Of 10 queries of 5 people, which have a right first match: method, shift, severity -> per seed the first so many.
CLEAN = {"lora": (8, 4), "adapter": (8, 5), "zero_shot": (2,)}
RIGHT = {
    ("lora", "motion_blur", 1): (6, 4), ("lora", "motion_blur", 3): (4, 2), ("lora", "grey", 1): (8, 5),
    ("lora", "typos", 1): (7, 3), ("lora", "swap_colour", 1): (4, 3),
    ("adapter", "motion_blur", 1): (8, 4), ("adapter", "motion_blur", 3): (6, 3), ("adapter", "grey", 1): (8, 5),
    ("adapter", "typos", 1): (6, 5), ("adapter", "swap_colour", 1): (2, 5),
    ("zero_shot", "motion_blur", 1): (2,), ("zero_shot", "motion_blur", 3): (1,), ("zero_shot", "grey", 1): (2,),
    ("zero_shot", "typos", 1): (2,), ("zero_shot", "swap_colour", 1): (1,),
}  # fmt: skip
BASE = {"size": "tiny"}
AT = list(dict.fromkeys((shift, severity) for _, shift, severity in RIGHT))


def rows(right: int, options: Mapping[str, Any]) -> tuple[list[dict], pd.DataFrame]:
    """Scores and records of one data set: the first `right` queries have a right first match."""
    text = "synth_cuhk {" + ", ".join(f'"{k}": {f"{v}" if isinstance(v, int) else chr(34) + v + chr(34)}'
                                      for k, v in sorted(options.items())) + "}"  # fmt: skip
    place = {"dataset": text, "split": "test", "direction": "t2i"}
    about = {**place, "choice": "selected", "queries": 10, "gallery": 10, "unmatched": 0}
    scores = [{**about, "metric": metric, "value": 10.0 * right} for metric in ("R1", "mAP")]
    first = np.where(np.arange(10) < right, 1, 3)
    query = np.arange(10)
    told = {"query": query, "person": query // 2, "positives": 1, "first": first, "ap": 1 / first, "inp": 1 / first}
    return scores, pd.DataFrame(told).assign(**place)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Results:
    store = Store(tmp_path_factory.mktemp("small") / "store")
    store.probe()
    declared = []
    for number, (method, seed) in enumerate((m, s) for m in CLEAN for s in range(len(CLEAN[m]))):
        ident, trained = f"{number:04x}", {"zero_shot": 0, "lora": 1000}.get(method, 2000)
        elsewhere = [{"dataset": "synth_cuhk", "options": {**BASE, "shift": shift, "severity": s}} for shift, s in AT]
        trial = {
            "method": method, "options": {}, "label": method, "budget": "1%" if trained else None, "seed": seed,
            "dataset": {"dataset": "synth_cuhk", "options": BASE}, "evaluate_on": elsewhere, "recipe": {"epochs": 2},
            "backbone": {"name": "ViT-B-16"},
        }  # fmt: skip
        made = [rows(CLEAN[method][seed], BASE)]
        made += [rows(RIGHT[method, shift, s][seed], {**BASE, "shift": shift, "severity": s}) for shift, s in AT]
        row = {key: trial[key] for key in ("label", "method", "budget", "seed", "options")}
        row |= {"id": ident, "dataset": "synth_cuhk", "dataset_options": BASE, "status": "ok", "spec": trial}
        row |= {"trained": trained, "total": 9000, "budget_parameters": 1100 if trained else None}
        store.commit(Record(row, [s for some, _ in made for s in some], [], pd.concat([q for _, q in made])))
        declared.append({**{k: row[k] for k in ("id", "label", "method", "budget", "seed", "dataset")}, "trial": trial})
    store.declare("small", {"name": "small"}, declared)
    return store.read("small")


@pytest.fixture(scope="module")
def one(small):
    (found,) = robustness(small)
    return found


def test_a_shifted_data_set_is_that_under_the_same_other_options(small):
    found = shifted(small)
    assert {(s.shift, s.severity) for s in found.values()} == set(AT)
    assert {s.clean for s in found.values()} == {"synth_cuhk"}
    other = dataclasses.replace(small.measured_on[next(iter(found))], name="synth_icfg")
    assert shifted(dataclasses.replace(small, measured_on={**small.measured_on, "elsewhere": other})) == found


def test_shifted_data_sets_are_no_further_domains(small):
    assert {c.measured for c in domains(small, cells(small))} == {c.dataset for c in cells(small)}
    assert not cross_dataset.applies(small) and not transfer.applies(small)


@pytest.mark.parametrize(("method", "images", "texts"), [
    # lora, seed 0: blur (8-6)/8 = 25 and (8-4)/8 = 50, mean 37.5; grey 0; images 18.75. Seed 1: 0 and 50, mean 25; grey
    # (4-5)/4 = -25; images 0. Typos: 12.5 and 25.
    ("lora", (18.75, 0.0), (12.5, 25.0)),
    # adapter: blur 0 and 25, mean 12.5, grey 0: 6.25; 20 and 40, mean 30, grey 0: 15. Typos: 25 and 0.
    ("adapter", (6.25, 15.0), (25.0, 0.0)),
    ("zero_shot", (12.5,), (0.0,)),
])  # fmt: skip
def test_relative_drops_by_hand(one, method, images, texts):
    (under,) = (u for u in one.under if u.cell.label == method)
    for kinds, wanted in ((("images",), images), (("texts",), texts)):
        assert over(under.effect, one.at(one.shifts(*kinds))).values.tolist() == pytest.approx(wanted)
    # Each shift counts as much as another: two of images and one of texts.
    both = [(2 * a + b) / 3 for a, b in zip(images, texts, strict=True)]
    assert over(under.effect, one.at(one.shifts("images", "texts"))).values.tolist() == pytest.approx(both)
    blur = np.mean([RIGHT[method, "motion_blur", s] for s in (1, 3)], axis=0)
    kept = 10 * (blur + RIGHT[method, "grey", 1] + np.array(RIGHT[method, "typos", 1])) / 3
    assert over(under.retained, one.at(one.shifts("images", "texts"))).values == pytest.approx(kept)


def test_content_edits_stand_apart(one):
    """lora: 4 of 8 and 3 of 4 right first matches are still first; adapter: 2 of 8 and 5 of 5."""
    assert one.shifts("content") == ["swap_colour"] and "swap_colour" not in one.shifts("images", "texts")
    still = {u.cell.label: over(u.effect, one.at(["swap_colour"])).values.tolist() for u in one.under}
    assert still == {"zero_shot": [50.0], "adapter": [25.0, 100.0], "lora": [50.0, 75.0]}


def test_what_came_first_only_under_an_edit_is_not_still_first(small):
    """Seed 0 of lora has 8 right: with two others right under the edit, no more of these 8 are still first."""
    queries = small.queries.copy()
    label = next(at for at, s in shifted(small).items() if s.shift == "swap_colour")
    queries.loc[(queries["dataset"] == label) & (queries["query"] > 7), "first"] = 1
    (found,) = robustness(dataclasses.replace(small, queries=queries))
    (lora,) = (u for u in found.under if u.cell.label == "lora")
    assert lora.effect["swap_colour", 1].values.tolist() == [50.0, 75.0]


def test_a_shift_at_one_severity_alone_is_at_that(one):
    assert one.severities == {"grey": (1,), "motion_blur": (1, 3), "typos": (1,), "swap_colour": (1,)}
    assert one.common(["grey", "motion_blur"]) == [1] and one.common(["motion_blur"]) == [1, 3] and not one.common([])
    (lora,) = (u for u in one.under if u.cell.label == "lora")
    assert over(lora.effect, one.at(["motion_blur"], 3)).values.tolist() == [50.0, 50.0]
    assert over(lora.effect, []) is None and over(lora.effect, [[("fog", 1)]]) is None


def test_methods_are_paired_and_the_untrained_one_stands_for_every_seed(one):
    by = {u.cell.label: u for u in one.under}

    def texts(u):
        return over(u.effect, one.at(["typos"]))

    gap = difference(by["lora"], by["adapter"], texts).interval
    assert gap.mean == pytest.approx((12.5 - 25 + 25 - 0) / 2) and gap.n == 2
    zero = difference(by["lora"], by["zero_shot"], texts).interval
    assert zero.mean == pytest.approx(18.75) and zero.n == 2
    best, tied = ties([by["lora"], by["adapter"]], texts)
    assert best is by["adapter"] and tied == [by["lora"]]
    assert ties([by["lora"], by["adapter"]], texts, lowest=False)[0] is by["lora"]
    assert ties([], texts) == (None, [])


def test_the_more_is_compared_the_more_it_takes_to_be_told_apart(one):
    """A difference with p of 3 % is one where it is alone, and none of two (Holm)."""
    (cell,) = (u.cell for u in one.under if u.cell.label == "lora")
    apart = [dataclasses.replace(one.under[0], cell=cell, seeds=(0, 1, 2), clean=Sample(np.array(values, float)))
             for values in ([50, 50, 50], [47.77, 46.77, 45.77], [46.77, 45.77, 47.77])]  # fmt: skip
    p = difference(apart[0], apart[1], lambda u: u.clean).p
    assert 0.025 < p < 0.05
    for some, wanted in ((apart[:2], 0), (apart, 2)):
        best, tied = ties(some, lambda u: u.clean, lowest=False)
        assert best is apart[0] and len(tied) == wanted


def test_what_is_still_first_needs_the_records_of_all_draws(small):
    label = next(at for at, s in shifted(small).items() if s.shift == "swap_colour")
    on = small.measured_on[label]
    again = dataclasses.replace(on, options=tuple(sorted((*on.options, ("shift_seed", "1")))))
    scores = small.scores[small.scores["dataset"] == label].assign(dataset="again")
    both = dataclasses.replace(
        small, scores=pd.concat([small.scores, scores], ignore_index=True),
        measured_on={**small.measured_on, "again": again},
    )  # fmt: skip
    (found,) = robustness(both)
    assert all(("swap_colour", 1) in u.retained and ("swap_colour", 1) not in u.effect for u in found.under)


def test_seeds_of_two_methods_meet_by_number(one):
    by = {u.cell.label: u for u in one.under}
    later = dataclasses.replace(by["adapter"], seeds=(1, 2))
    gap = difference(by["lora"], later, lambda u: u.clean).interval
    assert gap.mean == pytest.approx(10 * (4 - 8)) and gap.n == 1
    assert difference(by["lora"], dataclasses.replace(by["adapter"], seeds=(7, 8)), lambda u: u.clean) is None


def test_without_records_seeds_alone_tell(small):
    bare = dataclasses.replace(small, queries=small.queries.iloc[:0])
    (found,) = robustness(bare)
    (lora,) = (u for u in found.under if u.cell.label == "lora")
    interval = over(lora.effect, found.at(["typos"])).interval()
    assert interval.half == pytest.approx(stats.t.ppf(0.975, 1) * 6.25) and interval.mean == 18.75
    assert ("swap_colour", 1) not in lora.effect


def test_only_seeds_that_have_everything_count(small):
    label = next(at for at, s in shifted(small).items() if s.shift == "grey")
    lost = (small.scores["dataset"] == label) & (small.scores["id"] == "0000")
    (found,) = robustness(dataclasses.replace(small, scores=small.scores[~lost].reset_index(drop=True)))
    (lora,) = (u for u in found.under if u.cell.label == "lora")
    assert lora.seeds == (1,) and lora.status == "partial" and lora.clean.values.tolist() == [40.0]


def test_the_table_has_these_numbers(small):
    shown = {row["method"]: row for row in table.draw(small).rows}
    assert shown["LoRA"]["clean"].number == 60 and shown["LoRA"]["mmi_images"].number == pytest.approx(9.375)
    assert shown["Adapter"]["mmi_texts"].number == 12.5 and shown["Adapter"]["still_first"].number == 62.5
    assert shown["Adapter"]["mmi_texts"].emphasis == "best" and "≈" in shown["LoRA"]["mmi_texts"].mark
    assert not any(row["still_first"].emphasis for row in shown.values())


def test_a_shift_of_no_known_kind_enters_nothing(small):
    label = next(at for at, s in shifted(small).items() if s.shift == "grey")
    options = tuple((k, '"no_such"' if k == "shift" else v) for k, v in small.measured_on[label].options)
    unknown = dataclasses.replace(small.measured_on[label], options=options)
    (found,) = robustness(dataclasses.replace(small, measured_on={**small.measured_on, label: unknown}))
    assert "no_such" in found.severities and "no_such" not in found.shifts("images", "texts", "content")


@pytest.mark.parametrize(
    ("shift", "wanted"), [("motion_blur", "images"), ("typos", "texts"), ("swap_colour", "content")]
)
def test_kinds_are_those_of_the_shifts(shift, wanted):
    assert kind(shift) == wanted == registry.find("shifts", shift).KIND
    assert kind("no_such") == ""


FIGURES = (shift_heatmap, shift_curve, mmi_budget)


def test_all_is_on_the_page_where_shifts_were_measured_and_absent_otherwise(small, results, tmp_path):
    names = ("shift_heatmap", "shift_curve", "mmi_budget", "robustness")
    page.report(small, tmp_path, only=names)
    made = {path.stem for path in tmp_path.rglob("*.csv")}
    # Two severities of all shifts of a kind make a curve.
    assert made == {"shift_heatmap", "mmi_budget", "robustness"}
    assert not any(module.applies(results) for module in (*FIGURES, table))
