"""Faults 1 to 6: what the user wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[bitfit]", "[bitfitt]", r"small\.yaml:4: unknown method 'bitfitt'; expected one of .*did you mean bitfit\?"),
        ("[cuhk_pedes]", "[cuhk]", r"small\.yaml:3: unknown dataset 'cuhk'; .*did you mean cuhk_pedes\?"),
        (
            "epochs: 1,",
            "epochs: 1, losses: [sdn],",
            r"small\.yaml:6: recipe\.losses.*'sdm'.*got 'sdn'.*did you mean sdm\?",
        ),
        ("tiny", "ViT-B-61", r"unknown backbone 'ViT-B-61'; did you mean ViT-B-16\?"),
        ("name: short", "name: shrt", r"unknown recipe 'shrt'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_makes_nothing(call, study, cuhk, old, new, words):
    code, out, err = call("plan", study((old, new)), "--no-probe")
    assert code == 2 and re.search(words, err) and not out, err
    assert not Path("store").exists()


def test_every_unknown_key_in_one_pass(call, study):
    code, _, err = call(
        "plan", study(("[bitfit]", "[{lora: {rnk: 4, alfa: 2}}, {vpt: {rank: 4}}]"), ("seeds", "sedes"))
    )
    assert code == 2 and "small.yaml:5: unknown key 'sedes'; did you mean seeds?" in err
    assert "unknown option 'rnk' (did you mean rank?)" in err and "unknown option 'alfa' (did you mean alpha?)" in err
    assert "method vpt: unknown option 'rank'" in err and err.count("small.yaml:4: ") == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs: 1", 'epochs: 1, lr: "1e-3"', r":6: recipe\.lr: input should be a valid number, got '1e-3' \(str\)"),
        ("tiny", "{name: tiny, image: 256}", r":2: backbone\.image: .*got 256 \(int\)"),
        ("epochs: 1", "epochs: no", r":6: recipe\.epochs: .*got 'no' \(str\)"),
        ("epochs: 1", 'epochs: 1, compile: "True"', r":6: recipe\.compile: .*got 'True' \(str\)"),
        ("seeds: [0]", "seeds: [0]\nseeds: [1]", r"small\.yaml:6: key given twice: seeds"),
        ("epochs: 1", "epochs: 1, lr: .nan", r":6: recipe\.lr: .*got nan \(float\)"),
        ("epochs: 1", "epochs: 1, lr: .inf", r":6: recipe\.lr: .*got inf \(float\)"),
        (
            "seeds: [0]",
            "rules: [{when: {recipe.lr: .inf}, drop: true}]",
            r":5: rules.*finite, got inf \(float\)",
        ),
        ("[bitfit]", "[{lora: {rank: -4}}]", r":4: method lora: rank: .*greater than or equal to 1, got -4"),
        ("[bitfit]", "[{lora: {rank: 4.5}}]", r":4: method lora: rank: .*got 4\.5"),
        ("[bitfit]", "[{lora: {rank: true}}]", r":4: method lora: rank: .*got True"),
    ],
)
def test_a_wrong_type_names_key_line_and_what_was_read(call, study, old, new, words):
    code, _, err = call("plan", study((old, new)))
    assert code == 2 and re.search(words, err), err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[bitfit]", "[{lora: {rank: 500}}]", r"lora: rank 500 is above 96"),
        ("[bitfit]", "[{coop: {length: 80}}]", r"coop: length 80 is above 38"),
        (
            "batch: 32",
            "batch: 32, lr_factors: {adaptr: 5.0}",
            r"bitfit: recipe.lr_factors: no trained p.* 'adaptr'",
        ),
        ("[bitfit]", "[{lora: {depth: 50}}]", r"lora: depth 50 names blocks beyond the tower's 4"),
        ("batch: 32", "batch: 30, sampler: identity", r"batch 30 is no multiple of instances 4"),
        (
            "tiny",
            "{name: tiny, image: [100, 32]}",
            r"image size 100x32 is no multiple of the patch.*did you mean 96x32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_both_numbers(call, study, cuhk, old, new, words):
    code, _, err = call("plan", study((old, new)), "--no-probe")
    assert code == 2 and len(err.splitlines()) == 1 and re.search(words, err), err


def test_a_batch_larger_than_the_data_is_refused_before_anything_runs(call, study, cuhk):
    code, _, err = call("run", study(("batch: 32", "batch: 100000")), "--executor", "serial")
    assert code == 2 and re.search(r"recipe\.batch 100000 is larger than the \d+ training captions of cuhk_pedes", err)
    assert not list(Path("store").glob("trials/*"))


def test_a_budget_that_nothing_meets_is_a_row_that_says_what_would(call, study, cuhk):
    path = study(("[bitfit]", "[lora]\nbudgets: [10, 3%]"))
    code, out, _ = call("plan", path, "--no-probe")
    assert code == 0 and "1 infeasible" in out and re.search(r"infeasible: .*smallest setting trains [\d,]+ param", out)
    code, out, err = call("run", path, "--executor", "serial")
    assert code == 0 and "finished: 1 infeasible, 1 ok" in out, err
    code, _, err = call("plan", study(("[bitfit]", "[lora]\nbudgets: [130%]")), "--no-probe")
    assert code == 2 and "cannot read budget '130%'; expected a share like 4.7% or a count like 2M" in err


def test_equal_trials_are_run_once_and_told(call, study, cuhk):
    _, out, _ = call("plan", study(("[bitfit]", "[bitfit, {bitfit: {towers: both}}]")), "--no-probe")
    assert "1 trials: 1 to run; 1 repeats of a trial dropped" in out
