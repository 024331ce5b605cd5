"""Seeds found by Stein's procedure: the pilot, and what it asks for."""

from __future__ import annotations

import math
from statistics import stdev

import pytest

from harness.errors import UserError
from harness.store.store import Record, Store
from harness.study.precision import further
from harness.study.reading import load
from tests.harness.study.conftest import MERITS
from tests.harness.study.precision.conftest import DIFFERENCE, NOISE, STUDY, T4, noisy


def seeds_of(laid) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in laid.main:
        found.setdefault(row["trial"]["method"], []).append(row["trial"]["seed"])
    return found


def test_the_pilot_is_declared_first_and_nothing_is_decided(lay):
    laid = lay()
    assert seeds_of(laid) == {"zero_shot": [0], "full": [0, 1, 2, 3, 4], "lora": [0, 1, 2, 3, 4]}
    assert [(each.label, each.seeds, each.decided) for each in laid.asked] == [
        ("full", None, False), ("lora", None, False)
    ]  # fmt: skip
    assert laid.pending


def test_each_cell_gets_what_its_pilot_asks_for(lay):
    MERITS["lora", 1e-2] = MERITS["lora", 1e-3] = noisy(1.0)
    MERITS["full", 1e-2] = MERITS["full", 1e-3] = noisy(0.95)
    laid = lay.run()
    spread = stdev(NOISE[:5])
    assert (math.ceil((T4 * 0.95 * spread) ** 2), math.ceil((T4 * spread) ** 2)) == (6, 7)
    assert seeds_of(laid) == {"zero_shot": [0], "full": [0, 1, 2, 3, 4, 5], "lora": [0, 1, 2, 3, 4, 5, 6]}
    assert not laid.pending and {each.label: each.seeds for each in laid.asked} == {"full": 6, "lora": 7}
    assert laid.asked[1].deviation == pytest.approx(spread)
    before = {row["id"] for row in laid.main}
    assert {row["id"] for row in lay.run().main} == before, "further seeds ask for no more"


def test_most_cuts_and_what_was_wanted_is_kept(lay):
    MERITS["lora", 1e-3] = MERITS["lora", 1e-2] = noisy(4.0)
    laid = lay.run()
    asked = laid.asked[1]
    assert (asked.seeds, asked.wanted) == (12, math.ceil((T4 * 4 * stdev(NOISE[:5])) ** 2))
    assert seeds_of(laid)["lora"] == list(range(12))


def test_a_difference_is_paired_and_the_other_method_has_the_seeds_of_all(lay):
    for lr in (1e-2, 1e-3):
        MERITS["full", lr], MERITS["lora", lr] = noisy(0.0, 2.0), noisy(1.0, 2.0)
        MERITS["adapter", lr] = noisy(0.1, 2.0)
    laid = lay.run(DIFFERENCE.replace("lora]", "lora, adapter]"))
    assert {each.label: each.seeds for each in laid.asked} == {"lora": 7, "adapter": 5, "full": 7}
    assert {method: len(seeds) for method, seeds in seeds_of(laid).items()} == {
        "zero_shot": 1, "full": 7, "lora": 7, "adapter": 5
    }  # fmt: skip


def test_what_is_compared_with_must_be_one_cell(lay):
    text = DIFFERENCE.replace("to: full", "to: lora").replace("budgets: [1%]", "budgets: [1%, 3%]")
    with pytest.raises(UserError, match="full: lora has 2 cells on the same data, none of them alone"):
        lay(text)
    laid = lay(
        DIFFERENCE.replace("to: full", "to: lora").replace("full, lora", "adapter, lora").replace("[1", "[3%, 1")
    )
    assert len(laid.asked) == 4


def test_the_same_point_of_a_grid_is_compared(lay):
    def merit(document):
        high = document["recipe"]["batch"] == 64
        return 50 + (NOISE[document["seed"]] if high else 0.2 * NOISE[document["seed"]]) * (
            document["method"] == "lora"
        )

    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = MERITS["full", lr] = merit
    laid = lay.run(DIFFERENCE + "grid: {recipe.batch: [32, 64]}\n")
    assert {each.label: each.seeds for each in laid.asked} == {
        "full batch=32": 5, "full batch=64": 7, "lora batch=32": 5, "lora batch=64": 7
    }  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "diverged", "oom"])
def test_a_pilot_seed_without_a_score_counts_as_missing(lay, status):
    noise = noisy(2.0)
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: status if document["seed"] == 1 else noise(document)
    asked = lay.run().asked[1]
    some = [2 * NOISE[seed] for seed in (0, 2, 3, 4)]
    assert asked.deviation == pytest.approx(stdev(some)) and asked.decided
    assert asked.wanted == max(5, math.ceil((3.182446305284263 * stdev(some)) ** 2))  # t of 3 degrees of freedom


def test_a_pilot_with_one_score_asks_for_no_more(lay):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: "diverged" if document["seed"] else 50.0
    laid = lay.run()
    assert (laid.asked[1].seeds, laid.asked[1].deviation, laid.asked[1].decided) == (5, None, True)


def test_a_lost_trial_keeps_its_pilot_open(lay):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: "lost" if document["seed"] == 4 else 50.0 + NOISE[document["seed"]]
    laid = lay.run()
    assert not laid.asked[1].decided and len(seeds_of(laid)["lora"]) == 5
    assert laid.asked[1].seeds == max(5, math.ceil((3.182446305284263 * stdev(NOISE[:4])) ** 2)), "likely, so far"


def test_the_search_comes_before_the_pilot(lay):
    MERITS["lora", 1e-2] = lambda document: 60 + NOISE[document["seed"] % 12]
    text = STUDY + "tune: {recipe.lr: [1e-3, 1e-2]}\n"
    laid = lay(text)
    assert {row["trial"]["seed"] for row in laid.search} == {100} and len(laid.waiting) == 10
    assert laid.pending and not any(each.decided for each in laid.asked)
    laid = lay.run(text)
    assert not laid.waiting and seeds_of(laid)["lora"] == [0, 1, 2, 3, 4] and laid.pending
    laid = lay.run(text)
    rates = {row["trial"]["recipe"]["lr"] for row in laid.main if row["trial"]["method"] == "lora"}
    assert rates == {1e-2} and seeds_of(laid)["lora"] == list(range(7)) and not laid.pending
    assert all(row["trial"]["tuned"]["trials"] == 2 for row in laid.main if row["trained"])


def test_rank_1_on_the_test_split_of_what_is_trained_on_counts_as_reports_take_it(tmp_path):
    store, plain = Store(tmp_path), {"split": "test", "direction": "t2i", "metric": "R1", "choice": "selected"}
    others = [{"split": "val"}, {"direction": "i2t"}, {"metric": "mAP"}, {"choice": "last"}, {"dataset": "synth_icfg"}]
    for n, status in enumerate(("ok", "diverged")):
        row = {"id": f"{n:016x}", "label": "a", "method": "a", "dataset": "synth_cuhk", "seed": n, "status": status}
        scores = [{"dataset": "synth_cuhk", **plain, **more, "value": 30.0 + k} for k, more in enumerate([{}, *others])]
        store.commit(
            Record(trial=row | {"spec": {}}, scores=[s | {"queries": 9, "gallery": 9, "unmatched": 0} for s in scores])
        )
    rows = [{"id": f"{n:016x}", "trial": {"dataset": {"dataset": "synth_cuhk", "options": {}}}} for n in range(3)]
    assert further._measured(store, rows) == ({f"{0:016x}": "ok", f"{1:016x}": "diverged"}, {f"{0:016x}": 30.0})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("first: 5", "first: 1", r"s\.yaml:7: seeds\.first: .*greater than or equal to 2, got 1 \(int\)"),
        ("width: 1.0", "width: 0", r"s\.yaml:7: seeds\.width: input should be greater than 0, got 0"),
        ("width: 1.0, ", "", r"s\.yaml:7: key 'seeds\.width' is missing"),
        ("most: 12", "most: 4", r"s\.yaml:7: seeds\.most: expected at least as many as first, 5, got 4"),
        ("most: 12", "of: difference", r"s\.yaml:7: seeds\.of: a difference is to a method of the study"),
        ("most: 12", "of: diffrence, to: full", r"s\.yaml:7: seeds\.of: .*did you mean difference\?"),
        ("most: 12", "to: full", r"s\.yaml:7: seeds\.to: it goes with of: difference"),
        ("most: 12", "of: difference, to: fulll", r"s\.yaml:7: seeds\.to: .* 'fulll'; did you mean full\?"),
        ("most: 12", "most: 12, widht: 2", r"s\.yaml:7: unknown key 'seeds\.widht'; did you mean width\?"),
        ("most: 12}", "most: 101}\ntune: {recipe.lr: [1e-3, 1e-2]}", "seed 100 is of the search and of the study"),
        ("budgets", "rules: [{when: {seed: 1}, drop: true}]\nbudgets", r"s\.yaml:6: a rule tells seeds apart"),
    ],
)
def test_faults_have_their_line(tmp_path, old, new, words):
    (tmp_path / "s.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(UserError, match=words):
        load(tmp_path / "s.yaml")
