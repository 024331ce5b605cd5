"""Fair tuning: equal searches on val alone, and results by fresh seeds only."""

from __future__ import annotations

import json
import textwrap
from collections import Counter

import numpy as np
import pytest

from harness.errors import UserError
from harness.store.store import Store
from harness.study import tuning
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.trial import resolve, splits, stages
from harness.trial import run as running
from harness.trial.spec import Trial
from tests.harness.study.conftest import BAD, MERITS, RAN, fake_run

STUDY = """
name: s
backbone: tiny
datasets: [synth_cuhk]
methods: [zero_shot, lora, adapter]
budgets: [1%, 3%, 8%]
seeds: [0, 1]
recipe: {name: short, epochs: 2}
tune: {recipe.lr: [1e-3, 1e-2, 1e-1]}
"""


@pytest.fixture
def lay(tmp_path, fakes):
    def write(text: str = STUDY, **more) -> tuple:
        (tmp_path / "s.yaml").write_text(textwrap.dedent(text))
        study = load(tmp_path / "s.yaml", **more)
        return study, tuning.lay_out(study, tmp_path, Store(tmp_path / "store"))

    def run(text: str = STUDY, rounds: int = 2, **more):
        for _ in range(rounds):
            _, laid = write(text, **more)
            store = Store(tmp_path / "store")
            done = store.done(row["id"] for row in laid.trials)
            for row in laid.trials:
                if row["id"] not in done and row["status"] != "waiting":
                    fake_run(row, store.root, tmp_path, print)
        return write(text, **more)[1]

    write.run = run
    return write


def test_the_search_is_equal_for_all_and_the_rest_waits(lay):
    _, laid = lay()
    assert Counter(row["trial"]["method"] for row in laid.search) == {"lora": 3, "adapter": 3}
    assert {(row["trial"]["budget"], row["trial"]["seed"], row["trial"]["phase"]) for row in laid.search} == {
        ("3%", 100, "tuning")
    }
    assert {row["trial"]["selection"] for row in laid.search} == {"val"}
    assert [row["trial"]["method"] for row in laid.main] == ["zero_shot"]
    assert len(laid.waiting) == 2 * 3 * 2 and not {r["id"] for r in laid.waiting} & {r["id"] for r in laid.search}


def test_what_val_chose_gets_fresh_seeds_and_says_what_it_cost(lay):
    laid = lay.run()
    assert not laid.waiting and {c.points[c.chosen]["recipe.lr"] for c in laid.choices} == {1e-2}
    tuned = [row["trial"] for row in laid.main if row["trained"]]
    assert len(tuned) == 12 and {(t["recipe"]["lr"], t["phase"]) for t in tuned} == {(1e-2, None)}
    assert {t["seed"] for t in tuned} == {0, 1} and {t["label"] for t in tuned} == {"lora", "adapter"}
    assert tuned[0]["tuned"] == {
        "values": {"recipe.lr": 1e-2},
        "points": 3,
        "trials": 3,
        "seconds": 6.0,
        "edge": False,
        "edges": [],
        "budget": "3%",
        "dataset": "synth_cuhk",
        "shared_by": 1,
    }
    assert next(r for r in laid.main if not r["trained"])["trial"]["tuned"] is None


def test_no_published_number_is_the_maximum_of_a_search(lay, tmp_path):
    # One trial of the search is lucky: 99 on val, where the same rate with any other seed gives 30.
    MERITS["lora", 1e-1] = lambda document: 99.0 if document["seed"] == 100 else 30.0
    study, _ = lay()
    laid = lay.run()
    store = Store(tmp_path / "store")
    declared = [
        {key: row["trial"][key] for key in ("label", "method", "budget", "seed", "phase", "tuned")}
        | {"id": row["id"], "dataset": "synth_cuhk", "trial": row["trial"]}
        for row in laid.trials
    ]
    store.declare("s", study.document, declared)
    results = store.read("s")
    rows = results.trials[results.trials["method"] == "lora"]
    assert set(rows["lr"]) == {1e-1} and set(rows["seed"]) == {0, 1}, "luck decided the rate"
    values = results.scores[results.scores["id"].isin(rows["id"]) & (results.scores["metric"] == "R1")]
    assert set(values["value"]) == {30.0, 20.0}, "but luck is in no number"
    assert results.scores["value"].max() < 99 and set(results.trials["phase"].dropna()) == set()
    search = store.read("s", tuning=True)
    assert search.scores["value"].max() == 99 and (search.trials["phase"] == "tuning").sum() == 6
    assert all(json.loads(text)["edge"] for text in rows["tuned"]), "and its edge is said"


def test_reports_show_no_trial_of_a_search(lay, tmp_path):
    from reports.cells import cells

    study, _ = lay()
    laid = lay.run(rounds=1)  # the first phase only
    store = Store(tmp_path / "store")
    rows = [(row, "waiting" if row in laid.waiting else row["trial"]["phase"]) for row in laid.trials]
    declared = [
        {key: row["trial"][key] for key in ("label", "method", "budget", "seed", "tuned")}
        | {"id": row["id"], "dataset": "synth_cuhk", "trial": row["trial"], "phase": phase}
        for row, phase in rows
    ]
    store.declare("s", study.document, declared)
    for tuning_too in (False, True):
        found = cells(store.read("s", tuning=tuning_too))
        assert {c.label for c in found} == {"zero_shot", "lora", "adapter"}
        assert all(not set(c.seeds) - {0, 1} for c in found)
    missing = tuning.lay_out(study, tmp_path, store).waiting
    assert not missing, "the search is through, so nothing waits"
    assert {m["why"] for m in store.read("s").missing if m["method"] == "lora"} <= {"waits for its search", "not run"}


@pytest.mark.parametrize(
    ("merits", "lr"),
    [
        ({1e-3: (50.0, 20.0), 1e-2: (50.0, 25.0), 1e-1: (49.0, 40.0)}, 1e-2),  # equal Rank-1: nearest the best mAP
        ({1e-3: (50.0, 20.0), 1e-2: (50.0, 20.0), 1e-1: (50.0, 20.0)}, 1e-3),  # equal in both: the first written
        ({1e-3: (10.0, 20.0), 1e-2: "diverged", 1e-1: "oom"}, 1e-3),
    ],
)
def test_ties_and_points_without_a_score(lay, merits, lr):
    MERITS.update({("lora", rate): merit for rate, merit in merits.items()})
    laid = lay.run()
    assert {row["trial"]["recipe"]["lr"] for row in laid.main if row["trial"]["method"] == "lora"} == {lr}


def test_a_search_without_any_score_gives_rows_that_say_so(lay):
    MERITS.update({("lora", rate): "diverged" for rate in (1e-3, 1e-2, 1e-1)})
    rows = [row for row in lay.run().main if row["trial"]["method"] == "lora"]
    assert len(rows) == 6 and {row["status"] for row in rows} == {"infeasible"}
    assert {row["reason"] for row in rows} == {"no point of its search has a score: 3 diverged"}


@pytest.mark.parametrize("status", ["failed", "lost"])
def test_a_failed_trial_holds_its_own_method_back_and_no_other(lay, status):
    MERITS["lora", 1e-1] = status
    laid = lay.run()
    assert {row["trial"]["method"] for row in laid.waiting} == {"lora"}
    assert {row["trial"]["method"] for row in laid.main} == {"zero_shot", "adapter"}


def test_budgets_that_cannot_be_met_are_neither_searched_nor_tuned(lay):
    text = STUDY.replace("lora,", f"{{lora: {{note: '{BAD}'}}}},").replace("3%, 8%", "8%")
    _, laid = lay(text)
    assert {row["trial"]["budget"] for row in laid.search if row["trial"]["method"] == "lora"} == {"8%"}
    assert {(r["trial"]["method"], r["status"]) for r in laid.main} == {("zero_shot", "ready"), ("lora", "infeasible")}


def test_per_says_where_a_value_is_chosen_separately(lay):
    text = STUDY.replace("[synth_cuhk]", "[synth_cuhk, synth_icfg]")
    sizes = {
        "[method, dataset]": 2 * 2 * 3,
        "[method, budget, dataset]": 2 * 2 * 3 * 3,
        "[method]": 2 * 3,
        "[method, budget]": 2 * 3 * 3,
        "[dataset]": 2 * 2 * 3,
        "[]": 2 * 3,
    }
    for per, size in sizes.items():
        _, laid = lay(text + f"tuning: {{per: {per}}}\n")
        assert len(laid.search) == size, per
    MERITS["lora", 1e-3] = 95.0  # alone lora would take it, with adapter 1e-2 has the higher mean
    MERITS["adapter", 1e-3] = 10.0
    laid = lay.run(STUDY + "tuning: {per: [dataset]}\n")
    assert {row["trial"]["recipe"]["lr"] for row in laid.main if row["trained"]} == {1e-2}
    assert laid.choices[0].spent["shared_by"] == 2 and laid.choices[0].spent["trials"] == 3


def test_a_method_that_no_budget_scales_has_one_search(lay):
    text = STUDY.replace("lora, adapter", "full, adapter") + "tuning: {per: [method, budget]}\n"
    _, laid = lay(text)
    assert [(c.labels, c.budget) for c in laid.choices] == [
        (("full",), None), *((("adapter",), budget) for budget in ("1%", "3%", "8%"))
    ]  # fmt: skip
    assert len(laid.search) == 3 + 3 * 3


def test_a_search_is_told_with_the_part_of_the_data_that_it_saw(lay):
    text = STUDY.replace("[synth_cuhk]", "[{synth_cuhk: {fraction: 10%, root: /somewhere}}, synth_cuhk]")
    _, laid = lay(text + "tuning: {per: [method, dataset]}\n")
    assert [c.dataset for c in laid.choices] == ["synth_cuhk fraction=10%"] * 2 + ["synth_cuhk"] * 2


def test_several_seeds_are_averaged(lay):
    MERITS["lora", 1e-1] = lambda document: {100: 99.0, 101: 5.0}.get(document["seed"], 50.0)
    laid = lay.run(STUDY + "tuning: {seeds: [100, 101]}\n")
    assert {row["trial"]["recipe"]["lr"] for row in laid.main if row["trial"]["method"] == "lora"} == {1e-2}
    assert laid.choices[0].spent["trials"] == 6 and laid.choices[0].spent["points"] == 3


def test_a_sample_draws_the_same_places_for_every_method(lay):
    text = STUDY.replace("1e-1]}", "1e-1], recipe.weight_decay: [0, 1e-4, 1e-2]}")
    _, laid = lay(text + "tuning: {trials: 4}\n")
    drawn = {choice.labels: choice.points for choice in laid.choices}
    assert len(drawn["lora",]) == 4 and drawn["lora",] == drawn["adapter",] and drawn == {
        c.labels: c.points for c in lay(text + "tuning: {trials: 4}\n")[1].choices
    }  # fmt: skip
    assert len(lay(text)[1].search) == 2 * 9


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("adapter]", "{method: adapter, tune: {recipe.lr: [1e-3, 1e-2]}}]", "lora 3, adapter 2; .* tuning.trials: 2"),
        ("adapter]", "{method: adapter, tune: {}}]", "lora 3, adapter 0"),
        ("1e-1]}", "1e-1]}\ntuning: {trials: 5}", "5 trials are asked for, lora has 3"),
        ("recipe.lr: [", "options.rank: [8, 16, 32], recipe.lr: [", "9 trials of its search are 3 different ones"),
        ("seeds: [0, 1]", "seeds: [0, 100]", r"s\.yaml:\d+: seed 100 is of the search and of the study"),
        (
            "tune:",
            "rules: [{when: {method: lora}, set: {recipe.lr: 1e-4}}]\ntune:",
            "recipe.lr is searched and set by a rule",
        ),
        ("tune:", "grid: {recipe.lr: [1e-4]}\ntune:", "recipe.lr is searched and in grid"),
        ("tune:", "rules: [{when: {method: lora, recipe.lr: 1e-1}, drop: true}]\ntune:", "lora 2, adapter 3"),
        ("1e-1]}", "1e-1]}\ntuning: {trials: yes}", "tuning.trials"),
        ("1e-1]}", "1e-1]}\ntuning: {seeds: []}", "tuning.seeds"),
        ("1e-1]}", "1e-1]}\ntuning: {per: [method, seed]}", "tuning.per"),
        ("1e-1]}", "1e-1]}\ntuning: {prune: hyperband}", "tuning.prune"),
        ("recipe.lr: [", "recipe.lrr: [", "s.yaml:9: .*lrr"),
        ("1e-2, 1e-1]", "fast]", "s.yaml:9: .*'fast'"),
        ("tune: {recipe.lr: [1e-3, 1e-2, 1e-1]}", "tune: {seed: [1, 2]}", "seed"),
        ("1e-3, 1e-2, 1e-1]", "]", "s.yaml:9: .*recipe.lr"),
    ],
)
def test_unfair_or_empty_searches_are_refused(lay, old, new, words):
    with pytest.raises(UserError, match=words):
        lay(STUDY.replace(old, new))


def test_ranges_may_differ_when_their_number_does_not(lay):
    _, laid = lay(STUDY.replace("adapter]", "{method: adapter, tune: {recipe.lr: [1, 2, 3]}}]"))
    rates = {row["trial"]["recipe"]["lr"] for row in laid.search if row["trial"]["method"] == "adapter"}
    assert rates == {1, 2, 3} and len(laid.search) == 6


def test_run_does_both_phases_and_goes_on_anywhere(call):
    MERITS["adapter", 1e-2] = "failed"
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 5 and "--retry-failed" in out and len(RAN) == 1 + 6 + 6
    assert "7 to run, 0 already done, 12 wait for the search" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 5 and "6 trials wait for a search that has failed trials" in out and len(RAN) == 13
    assert "6 of 6" in call("plan", "s.yaml")[1].replace("3 of 3", "6 of 6") and "waiting" in call("plan", "s.yaml")[1]
    assert "main: 7 of 13, 6 wait for the search" in call("status", "s")[1]
    MERITS.clear()
    code, out = call("run", "s.yaml", "--executor", "serial", "--retry-failed")
    assert code == 0 and len(RAN) == 13 + 1 + 6 and "search: adapter at 3% on synth_cuhk: recipe.lr 0.01 of 3" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and "0 to run, 19 already done" in out and len(RAN) == 20
    assert json.loads(call("plan", "s.yaml", "--json")[1])["searches"][0]["chosen"] == 1
    store = Store("results/local")
    store.set_aside(next(i for i in store.ids() if store.measured([i])["trials"]["phase"][0] == "tuning"))
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and len(RAN) == 21, "the lost trial of the search alone"


def test_a_trial_of_a_search_never_looks_at_test(tmp_path, monkeypatch):
    part = splits.part
    seen = []

    def watched(dataset, data, name, source):
        seen.append(name)
        return part(dataset, data, name, source)

    monkeypatch.setattr(stages.splits, "part", watched)
    (tmp_path / "s.yaml").write_text(
        STUDY.replace("[synth_cuhk]", "[{synth_cuhk: {size: tiny}}]")
        .replace("[zero_shot, lora, adapter]", "[lora]")
        .replace("epochs: 2", "epochs: 1, batch: 64")
        + "selection: last\nevaluate_on: [{synth_cuhk: {size: tiny}}]\n"
    )
    study = load(tmp_path / "s.yaml")
    store = Store(tmp_path / "store")
    laid = tuning.lay_out(study, tmp_path, store)
    row = laid.search[0]
    assert running.run(row, store.root, tmp_path) == "ok"
    assert "val" in seen and "test" not in seen
    tables = store.measured([row["id"]], ("trials", "scores", "queries"))
    assert set(tables["scores"]["split"]) == {"val"} and tables["queries"].empty
    assert tables["trials"]["phase"].tolist() == ["tuning"] and np.isfinite(tables["trials"]["seconds_total"][0])
    same = resolve.resolve(Trial(**{**trials_of(study)[2].model_dump(), "tuned": {"trials": 3}}), tmp_path)
    assert same.id == resolve.resolve(trials_of(study)[2], tmp_path).id, "what a search took decides nothing"
    assert same.id != row["id"]
