"""Values that only fail within a trial, lose it, or end the process: each is refused with its line, key and value."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.api import asking
from harness.cli import main
from harness.errors import UserError
from harness.study import extent, grid
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.study.study import Study
from harness.training.recipe import Recipe
from harness.trial import resolve
from harness.trial.spec import Trial

BASE = """\
name: s
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
recipe: {name: short, epochs: 1}
methods: [lora]
seeds: [0]
budgets: [2%]
"""
FORTY = ", ".join(f"{n / 1000}" for n in range(1, 41))


def read(folder: Path, text: str, **more) -> Study:
    (folder / "s.yaml").write_text(text)
    return load(folder / "s.yaml", check=resolve.check, **more)


def recipe(text: str) -> tuple[str, str]:
    return "epochs: 1", f"epochs: 1, {text}"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (recipe("augmentation: nothing"), 4, "'irra_mean' or 'irra_colour', got 'nothing' (str)"),
        (recipe("augmentation: irra_color"), 4, "got 'irra_color' (str); did you mean irra_colour?"),
        (recipe("augmentation: 3"), 4, "recipe.augmentation: input should be a valid string, got 3 (int)"),
        (recipe("betas: [1.0, 1.0]"), 4, "recipe.betas.0: input should be less than 1, got 1.0 (float)"),
        (recipe("betas: [0.9, -0.1]"), 4, "recipe.betas.1: input should be greater than or equal to 0"),
        (recipe("warmup_epochs: .inf"), 4, "recipe.warmup_epochs: input should be a finite number, got inf"),
        (recipe("weight_decay: .inf"), 4, "recipe.weight_decay: input should be a finite number, got inf"),
        (recipe("temperature: .nan"), 4, "recipe.temperature: input should be a finite number, got nan"),
        (recipe("lr: 1e999"), 4, "recipe.lr: input should be a finite number, got inf"),
        (recipe("lr_factors: {lora: -.inf}"), 4, "recipe.lr_factors.lora: input should be a finite number, got -inf"),
        (recipe("interaction: 100000"), 4, "recipe.interaction: input should be less than or equal to 64"),
        (("epochs: 1", "epochs: 9000000"), 4, "recipe.epochs: input should be less than or equal to 1000000"),
        (recipe("batch: 9223372036854775808"), 4, "recipe.batch: whole numbers are from -2^63 to 2^63 - 1, got 9.2"),
        (("tiny\n", "{name: tiny, image: [-16, -16]}\n"), 2, "image.0: input should be greater than or equal to 1, g"),
        (("tiny\n", "{name: tiny, image: [0, 32]}\n"), 2, "image.0: input should be greater than or equal to 1, g"),
        (("tiny\n", "{name: tiny, image: [96, 4112]}\n"), 2, "image.1: input should be less than or equal to 4096"),
        (("tiny\n", "{name: tiny, trained_at: [0, 0]}\n"), 2, "backbone.trained_at.0: input should be greater"),
        (("[lora]", "[{lora: {alpha: .inf}}]"), 5, "method lora: alpha: input should be a finite number, got inf"),
        (("[lora]", "[{lora: {rank: 9223372036854775808}}]"), 5, "whole numbers are from -2^63 to 2^63 - 1"),
        (("[lora]", "[{union: [{lora: {alpha: .nan}}]}]"), 5, "got nan"),
        (("[lora]", "[{method: lora, recipe: {lr: .inf}}]"), 5, "lr: input should be a finite number, got inf"),
        (("seeds: [0]", "seeds: [9223372036854775808]"), 6, "seeds.0: input should be less than 9223372036854775808"),
        (("seeds: [0]", "seeds: [-1]"), 6, "seeds.0: input should be greater than or equal to 0, got -1 (int)"),
        (("seeds: [0]", "threads: 100000"), 6, "threads: input should be less than or equal to 1024, got 100000 (int)"),
        (("seeds: [0]", "threads: 0"), 6, "threads: input should be greater than or equal to 1"),
        (("seeds: [0]", "grid: {threads: [1, 100000]}"), 6, "threads: input should be less than or equal to 1024"),
        (("seeds: [0]", "grid: {device: [gpu]}"), 6, "device: input should be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        (("seeds: [0]", "grid: {selection: [best]}"), 6, "selection: input should be 'val', 'last' or 'test-oracle'"),
        (("seeds: [0]", "rules: [{when: {}, set: {threads: 2000}}]"), 6, "threads: input should be less than or equal"),
        (("seeds: [0]", "rules: [{when: {recipe.lr: .nan}, drop: true}]"), 6, "rules.0.when.recipe.lr: numbers are f"),
        (("2%", "9223372036854775808"), 7, "cannot read budget '9223372036854775808'; expected a share like 4.7%"),
        (("2%", "9300000000000G"), 7, "cannot read budget '9300000000000G'"),
        (("2%", "2%, memory 9e99G"), 7, "cannot read budget 'memory 9e99G'"),
        (("2%", f"memory {'9' * 400}%"), 7, "cannot read budget 'memory 999"),
        (("2%", ".inf"), 7, "got inf (float)"),
        (("[lora]", "[{method: lora, budgets: [200%]}]"), 5, "cannot read budget '200%'"),
        (("size: tiny", "root: 5"), 3, "data set synth_cuhk: root: input should be a valid string, got 5 (int)"),
        (("size: tiny", "root: [a]"), 3, "data set synth_cuhk: root: input should be a valid string, got ['a'] (list)"),
        (("size: tiny", "sise: tiny"), 3, "data set synth_cuhk has no option 'sise'; expected one of size, seed"),
        (("size: tiny", "noise: .nan"), 3, "dataset options: cannot read fraction nan"),
        (("size: tiny", "seed: -1"), 3, "data set synth_cuhk: seed: input should be greater than or equal to 0"),
        (("size: tiny", "fraction: [1]"), 3, "cannot read fraction [1]"),
        (("size: tiny", "identities: 1.5"), 3, "data set synth_cuhk: identities: input should be a valid integer"),
        (("[2%]", "[2%]\nevaluate_on: [{icfg_pedes: {root: {a: b}}}]"), 8, "icfg_pedes: root: input should be a valid"),
        (("seeds: [0]", "grid: {dataset.options.root: [5]}"), None, "trial lora root=5: data set synth_cuhk: root: in"),
        (("seeds: [0]", "grid: {dataset.dataset: [cuhk]}"), None, "trial lora dataset=cuhk: unknown dataset 'cuhk'"),
        (("name: s\n", "name: " + "s" * 101 + "\n"), 1, "name: string should have at most 100 characters"),
        (("seeds: [0]", "note: !!python/object/apply:os.system [touch x]"), 6, "note: tag !!python/object/apply:os.s"),
    ],
)  # fmt: skip
def test_a_value_that_fails_later_is_refused_at_once(tmp_path, change, line, words):
    assert BASE.count(change[0]) == 1 and read(tmp_path, BASE)
    with pytest.raises(UserError) as caught:
        read(tmp_path, BASE.replace(*change))
    rows = str(caught.value).splitlines()
    assert len(rows) == 1 and words in rows[0] and f"s.yaml{f':{line}' if line else ''}: " in rows[0], rows
    assert len(rows[0]) < 500


def test_what_is_largest_is_taken(tmp_path):
    text = BASE.replace("seeds: [0]", "seeds: [0, 9223372036854775807]\nthreads: 1024").replace(
        "2%", "9223372036854775807"
    )
    study = read(tmp_path, text.replace("tiny\n", "{name: tiny, image: [1, 4096]}\n"))
    assert [trial.seed for trial in trials_of(study)] == [0, 2**63 - 1]


def test_values_of_python_are_held_to_the_same():
    for given in ({"lr": float("inf")}, {"weight_decay": float("nan")}, {"lr_factors": {"a": float("inf")}}):
        with pytest.raises(ValidationError, match="finite number"):
            Recipe(**given)
    with pytest.raises(ValidationError, match=r"seed\n.*less than"):
        Trial.model_validate({"seed": 2**63})


def test_a_merged_recipe_plans(tmp_path):
    study = read(
        tmp_path,
        BASE.replace("recipe: {", "recipe: &r {").replace("[lora]", "[{method: lora, recipe: {<<: *r, lr: 1e-2}}]"),
    )
    assert {(t.recipe.lr, t.recipe.epochs, t.recipe.name) for t in trials_of(study)} == {(1e-2, 1, "short")}


@pytest.mark.parametrize("name", ["grid", "tune"])
def test_a_study_of_too_many_trials_is_refused_with_their_number_at_once(tmp_path, monkeypatch, name):
    keys = ("lr", "weight_decay", "temperature", "warmup_epochs", "warmup_factor", "mask_captions")
    text = BASE + f"{name}:\n" + "".join(f"  recipe.{key}: [{FORTY}]\n" for key in keys)
    began = time.perf_counter()
    with pytest.raises(
        UserError, match=r"s\.yaml:8: s spans 4,096,000,00[01] trials; expected at most 10,000, or --many$"
    ):
        read(tmp_path, text)
    assert time.perf_counter() - began < 2
    if name == "tune":
        monkeypatch.setattr(extent, "WHOLE", 40**6 + 1)
        study = read(tmp_path, text + "tuning: {trials: 3}\n")
        assert len(grid.points(study, study.methods[0])) == 3
        monkeypatch.setattr(extent, "WHOLE", 40**6)
        with pytest.raises(UserError, match=r"s\.yaml:8: the lists of a search span 2\^63 points or more"):
            read(tmp_path, text + "tuning: {trials: 3}\n")


def test_trials_are_counted_as_they_are_built(tmp_path):
    text = BASE.replace("[lora]", "[lora, {method: adapter, budgets: [1%, 2%, null]}]").replace("[0]", "[0, 1]")
    study = read(
        tmp_path, text + "grid: {recipe.batch: [8, 16]}\nzip: {recipe.lr: [1, 2, 3], recipe.epochs: [1, 2, 3]}\n"
    )
    assert extent.spanned(study) == len(trials_of(study)) == 2 * 3 * 2 * (1 + 3)
    for per, homes in (("[method]", 1), ("[method, budget]", 3), ("[method, budget, dataset]", 6)):
        more = f"tune: {{recipe.lr: [1, 2, 3]}}\ntuning: {{trials: 2, seeds: [7, 8, 9], per: {per}}}\n"
        data = (
            text.replace("tiny}}]", "tiny}}, synth_rstp]")
            .replace("2%]\n", "2%, 3%, 4%]\n")
            .replace(", budgets: [1%, 2%, null]", "")
        )
        assert extent.spanned(read(tmp_path, data + more)) == 2 * (2 * 3 * 2 + homes * 2 * 3)


def test_many_trials_are_allowed_when_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(extent, "TRIALS", 3)
    monkeypatch.setattr(extent, "TRIED", 5)
    (tmp_path / "s.yaml").write_text(BASE.replace("[0]", "[0, 1, 2, 3]"))
    with pytest.raises(UserError, match=r"s\.yaml:6: s spans 4 trials; expected at most 3, or --many"):
        asking.load(tmp_path / "s.yaml", {})
    assert len(asking.load(tmp_path / "s.yaml", {}, many=True).seeds) == 4
    monkeypatch.setattr(extent, "TRIALS", 5)
    with pytest.raises(UserError, match=r"its search has 6 points over all data sets, budgets and values"):
        read(tmp_path, BASE.replace("2%", "1%, 2%") + "tune: {recipe.lr: [1, 2, 3]}\n")
    with pytest.raises(UserError, match="10,001 seeds; expected 1 to 10,000"):
        asking.texts({}, 10_001)


def test_points_are_drawn_as_from_the_whole_list(tmp_path):
    lists = "tune: {recipe.lr: [1, 2, 3], recipe.batch: [8, 16], recipe.eps: [1, 2, 3, 4]}\n"
    study = read(tmp_path, BASE + lists)
    every = grid.points(study, study.methods[0])
    assert [tuple(point.values()) for point in every[:6]] == [
        (1, 8, 1), (1, 8, 2), (1, 8, 3), (1, 8, 4), (1, 16, 1), (1, 16, 2),
    ]  # fmt: skip
    few = read(tmp_path, BASE + lists + "tuning: {trials: 5}\n")
    drawn = sorted(random.Random("(3, 2, 4) 5").sample(every, 5), key=every.index)
    assert grid.points(few, few.methods[0]) == drawn


def test_paths_that_are_too_long_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    long = "x" * 5000
    (tmp_path / "s.yaml").write_text(BASE)
    (tmp_path / "root.yaml").write_text(BASE.replace("size: tiny", f"root: {long}"))
    (tmp_path / "method.yaml").write_text(BASE.replace("[lora]", f"[{long}.py]"))
    (tmp_path / "backbone.yaml").write_text(BASE.replace("tiny\n", f"{long}\n", 1))
    (tmp_path / "weights.yaml").write_text(BASE.replace("tiny\n", f"{{name: ViT-B-32, pretrained: {long}}}\n"))
    for words in (
        [f"{long}.yaml"],
        [long],
        ["s.yaml", "--store", long],
        ["s.yaml", "--data", long],
        ["root.yaml"],
        ["method.yaml"],
        ["backbone.yaml"],
        ["weights.yaml"],
    ):
        code = main.call(["plan", "--no-probe", *words])
        err = capsys.readouterr().err
        assert code == 2 and len(err.splitlines()) == 1 and len(err) < 1500 and "unforeseen" not in err, (words, err)
