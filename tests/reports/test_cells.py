"""Cells: every declared trial accounted for, nothing averaged that differs in more than the seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports.cells import cells, home, leading
from reports.compare import records_of
from reports.declared import declared, leaves
from reports.statistics.stein import Design
from reports.words.sentences import gaps, protocol


def _of(results, **wanted):
    (found,) = (c for c in home(cells(results)) if all(getattr(c, k) == v for k, v in wanted.items()))
    return found


def test_every_declared_trial_is_in_exactly_one_cell(results):
    found = home(cells(results))
    assert sum(len(c.statuses) for c in found) == len(results.study["trials"]) == len(results.trials) + 1
    assert len({(c.label, c.budget, c.dataset, c.variant) for c in found}) == len(found)


def test_scores_by_a_slow_loop(results):
    at = {(r.id, r.dataset, r.metric, r.split, r.choice): r.value for r in results.scores.itertuples()}
    for c in cells(results, "mAP"):
        rows = results.trials.query("label == @c.label and dataset == @c.dataset and status == 'ok'")
        rows = rows[rows["budget"].isna() if c.budget is None else rows["budget"] == c.budget]
        expected = {r.seed: at[r.id, c.measured, "mAP", "test", "selected"] for r in rows.itertuples()}
        assert dict(zip(c.seeds, c.values, strict=True)) == expected


def test_scores_agree_with_the_records(results):
    """The stored Rank-1 and mAP are the means of the per-query records that the paired tests use."""
    records = records_of(results)
    for metric in ("R1", "R5", "mAP", "mINP"):
        for c in home(cells(results, metric))[::7]:
            for ident, value in zip(c.ids, c.values, strict=True):
                assert records.values(records.of(ident, c.measured), metric).mean() == pytest.approx(value, rel=1e-5)


def test_statuses(results):
    assert _of(results, label="prefix", budget="5%", dataset="synth_cuhk").story == "infeasible"
    assert _of(results, label="prefix", budget="5%", dataset="synth_cuhk").mean is None
    lost = _of(results, label="lora", budget="5%", dataset="synth_icfg")
    assert (lost.status, lost.story, lost.interval.n) == ("partial", "2 of 3 seeds (1 diverged)", 2)
    assert _of(results, label="full", dataset="synth_icfg").story == "2 of 3 seeds (1 out of memory)"
    missing = _of(results, label="up_person", budget="5%", dataset="synth_rstp")
    assert (missing.story, missing.seeds) == ("2 of 3 seeds (1 not run)", (0, 1))
    alone = _of(results, label="adapter", budget="0.5%", dataset="synth_rstp")
    assert (alone.status, alone.interval.half) == ("single", None)
    assert _of(results, label="zero_shot", dataset="synth_cuhk").status == "ok"
    assert gaps(home(cells(results)))[0] == "Full fine-tuning (S-ICFG): 2 of 3 seeds (1 out of memory)"


@pytest.fixture
def pilots(whole):
    """Cells of one method at so many budgets whose pilots are through, and whose further seeds are not run."""
    some = _of(whole, label="lora", budget="1%", dataset="synth_cuhk")
    design = Design(first=3, width=0.01, most=5, of="mean", to=None)
    lacks = dataclasses.replace(some, design=design, width=0.01, statuses=(*some.statuses, "missing", "missing"))
    return lambda n, **more: [dataclasses.replace(lacks, budget=f"{k}%", **more) for k in range(1, n + 1)]


def test_a_cell_that_waits_for_further_seeds_is_told_once(pilots):
    few = gaps(pilots(4))
    assert len(few) == 1 and few[0].startswith("width of ± 0.01 not reached: LoRA at 1% on S-CUHK ± ")
    assert few[0].count("3 of 5 seeds (2 not run)") == few[0].count("LoRA") == 4
    half = f"{pilots(1)[0].known.half:.2f}"
    assert gaps(pilots(5)) == [f"width of ± 0.01 not reached in 5 of 5 cells: ± {half} to {half}"]


def test_cells_that_only_wait_are_counted_and_what_failed_is_named(pilots):
    named = "LoRA at 1%, LoRA at 2%, LoRA at 3%, LoRA at 4%: 3 of 5 seeds (2 not run)"
    assert gaps(pilots(4, width=None)) == [named]
    assert gaps(pilots(5, width=None)) == ["fewer seeds so far than asked for: 5 cells"]
    failed = [dataclasses.replace(c, statuses=(*c.statuses[:-1], "failed")) for c in pilots(5)]
    told = gaps(failed)
    assert told[0].count("LoRA") == 5 and told[0].endswith("3 of 5 seeds (1 failed, 1 not run)") and len(told) == 2


def test_a_seed_that_did_not_learn_is_told_in_figures_and_tables(results):
    """A mean with it has an interval that takes a normal spread."""
    sound = next(c for c in home(cells(results)) if c.values and len(c.values) == 3)
    lost = dataclasses.replace(sound, values=(*sound.values[:2], 2.25))
    said = f"seeds far from all others, so the interval may not hold: {sound.series} on S-CUHK 1 of 3 (2.2)"
    assert said in gaps([sound, lost])
    assert said in protocol([sound, lost])
    assert "far" not in protocol([sound]) + " ".join(gaps([sound]))


def test_no_gaps_where_there_are_none(whole):
    assert gaps(home(cells(whole))) == []


def test_a_grid_is_a_variant_and_not_a_label(making):
    study = making(seeds=2, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), lrs=(1e-4, 1e-3), holes=False)
    found = home(cells(study))
    assert [(c.label, c.variant) for c in found] == [("lora", (("recipe.lr", lr),)) for lr in (1e-4, 1e-3)]
    assert [c.series for c in found] == ["LoRA lr=0.0001", "LoRA lr=0.001"]


def test_what_differs_without_being_declared_is_never_averaged(making):
    study = making(seeds=4, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), holes=False)
    trials = [dict(t, trial={**t["trial"], "threads": 1 + (i > 1)}) for i, t in enumerate(study.study["trials"])]
    mixed = dataclasses.replace(study, study={**study.study, "trials": trials})
    assert [(c.variant, len(c.values)) for c in home(cells(mixed))] == [((("threads", 1),), 2), ((("threads", 2),), 2)]


def test_a_value_that_a_search_chose_is_no_variant(making):
    study = making(seeds=4, methods=("lora",), budgets=("1%",), places=("synth_cuhk",), holes=False)

    def half(index: int, trial: dict) -> dict:
        """Each half on another part of the data, with the rate that its own search chose."""
        part, lr = (("10%", 1e-2), ("50%", 1e-3))[index > 1]
        recipe, dataset = {**trial["recipe"], "lr": lr}, {**trial["dataset"], "options": {"fraction": part}}
        return {**trial, "recipe": recipe, "dataset": dataset, "tuned": {"values": {"recipe.lr": lr}, "trials": 3}}

    trials = [dict(t, trial=half(i, t["trial"])) for i, t in enumerate(study.study["trials"])]
    tuned = dataclasses.replace(study, study={**study.study, "trials": trials})
    assert [c.variant for c in home(cells(tuned))] == [(("dataset.options.fraction", part),) for part in ("10%", "50%")]


def test_a_trial_that_is_ok_but_has_no_score_is_a_failure(results):
    cut = dataclasses.replace(results, scores=results.scores[results.scores["metric"] != "mINP"])
    assert {c.status for c in home(cells(cut, "mINP"))} <= {"failed", "infeasible", "oom", "diverged"}
    ident = _of(results, label="lora", budget="1%", dataset="synth_cuhk").ids[0]
    cut = dataclasses.replace(results, scores=results.scores[results.scores["id"] != ident])
    assert _of(cut, label="lora", budget="1%", dataset="synth_cuhk").story == "2 of 3 seeds (1 failed)"


def test_a_score_of_a_failed_trial_is_not_used(results):
    ident = results.trials.query("status == 'diverged'")["id"].item()
    stray = results.scores.head(5).assign(id=ident, dataset="synth_icfg", metric="R1", split="test", choice="selected")
    more = dataclasses.replace(results, scores=pd.concat([results.scores, stray], ignore_index=True))
    assert _of(more, label="lora", budget="5%", dataset="synth_icfg").story == "2 of 3 seeds (1 diverged)"


def test_choice_follows_the_study_and_is_named(results):
    assert protocol(home(cells(results))).endswith("epoch chosen on val")
    oracle = dataclasses.replace(results, scores=results.scores[results.scores["choice"] == "oracle"])
    assert "optimistic" in protocol(home(cells(oracle)))
    one, two = (_of_choice(results, way) for way in ("oracle", "last"))
    assert one - two == pytest.approx(0.9)


def _of_choice(results, way):
    (found,) = (c for c in cells(results, choice=way) if (c.label, c.measured) == ("zero_shot", "synth_cuhk"))
    return found.mean


def test_leading_keeps_references_and_the_best(results):
    kept, words = leading(home(cells(results)), 2)
    assert {c.label for c in kept} == {"zero_shot", "full", "up_person", "adapter"}
    assert words == "shown: the 2 best series; 2 more are in the tables"
    assert leading(home(cells(results)))[1] == ""


def test_leaves():
    found = leaves({"a": {"b": 1, "c": [1, 2]}, "d": [{"lora": {}}], "e": None})
    assert found == {"a.b": 1, "a.c": (1, 2), "d": '[{"lora": {}}]', "e": None}
    assert hash(tuple(found.items()))


def test_asking_twice_costs_once_and_another_study_is_not_confused(results, whole):
    assert cells(results) is cells(results)
    assert declared(results) is not declared(whole)
    assert len(home(cells(whole))) == len(home(cells(results)))
    copy = dataclasses.replace(results)
    assert cells(copy) is not cells(results)


def test_differences_are_paired_by_seed_and_query(results):
    """Against the plain difference of the stored scores; and shuffling one side's seeds changes nothing."""
    records = records_of(results)
    a = _of(results, label="up_person", budget="1%", dataset="synth_cuhk")
    b = _of(results, label="lora", budget="1%", dataset="synth_cuhk")
    found = records.difference(a, b, "R1")
    assert found.interval.mean == pytest.approx(np.mean(np.array(a.values) - np.array(b.values)))
    flipped = dataclasses.replace(b, ids=b.ids[::-1], seeds=b.seeds[::-1], values=b.values[::-1])
    assert records.difference(a, flipped, "R1") == found
    one, two, person = records.aligned(a, b, "R1")
    assert one.shape == two.shape == (3, 360) and len(np.unique(person)) == 60
    partial = _of(results, label="up_person", budget="5%", dataset="synth_rstp")
    other = _of(results, label="lora", budget="5%", dataset="synth_rstp")
    assert records.aligned(partial, other, "R1")[0].shape[0] == 2


def test_ties_hold_the_truth_of_made_studies(making):
    """A method is no tie of one that is far better, and is a tie of its own copy."""
    study = making(seeds=3, methods=("up_person", "prefix"), budgets=("1%",), places=("synth_cuhk",), holes=False)
    best, tied = records_of(study).ties(home(cells(study)), "R1")
    assert best.label == "up_person" and tied == []
    copies = [dataclasses.replace(best, label=f"copy {i}") for i in range(3)]
    best, tied = records_of(study).ties(copies, "R1")
    assert len(tied) == 2


def test_without_records_seeds_alone_decide(results):
    bare = dataclasses.replace(results, queries=results.queries.iloc[:0])
    a = _of(bare, label="up_person", budget="1%", dataset="synth_cuhk")
    b = _of(bare, label="adapter", budget="0.5%", dataset="synth_cuhk")
    assert records_of(bare).difference(a, b, "R1").p == 1.0
    assert records_of(bare).difference(a, a, "R1").interval.mean == 0.0
