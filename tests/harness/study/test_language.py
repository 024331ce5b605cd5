"""The whole language: every example of its page loads and means what it says, every trap is told with line and type."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.study import grid
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.study.study import Study
from harness.trial import resolve

ROOT = Path(__file__).parents[3]
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "studies.md").read_text("utf-8"), re.M | re.S)
BASE = """\
name: s
backbone: tiny
datasets: [synth_cuhk]
methods:
  - lora
  - {method: adapter, options: {width: 8}}
recipe: {name: short}
"""


def read(folder: Path, text: str, **more) -> Study:
    (folder / "s.yaml").write_text(text)
    return load(folder / "s.yaml", **more)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_page_loads(tmp_path, number):
    (tmp_path / "base.yaml").write_text(EXAMPLES[0])
    text = EXAMPLES[number]
    text = text if text.startswith(("name:", "extends:")) else f"extends: base.yaml\n{text}"
    study = read(tmp_path, text, check=resolve.check)
    assert trials_of(study) and not grid.idle(study)


def test_the_page_means_what_it_says(tmp_path):
    (tmp_path / "base.yaml").write_text(EXAMPLES[0])

    def example(word: str) -> Study:
        return read(tmp_path, "extends: base.yaml\n" + next(text for text in EXAMPLES if word in text))

    ruled = trials_of(example("drop: true"))
    assert len(ruled) == (2 * 3 * 2 - 2 * 2) * 2 * 3, "both budgets, but 3 % with both towers only"
    assert {t.recipe.lr for t in ruled if t.method == "lora" and t.options["towers"] == "text"} == {3e-3}
    assert {(t.recipe.batch, t.recipe.lr) for t in ruled if t.method == "dora"} == {(32, 5e-3), (64, 1e-2)}
    budgets = {t.budget for t in trials_of(example("flops 70%"))}
    assert budgets == {"flops 70%", "memory 2G"}
    ranges = example("per: [method, budget, dataset]")
    assert [len(grid.points(ranges, entry)) for entry in ranges.methods] == [3, 3]
    assert ranges.axes(ranges.methods[1])["recipe.lr"] == [1e-5, 1e-4, 1e-3]
    sampled = example("trials: 6")
    assert len(grid.points(sampled, sampled.methods[0])) == 6
    longer = read(tmp_path, next(text for text in EXAMPLES if text.startswith("extends")))
    assert (longer.name, longer.recipe["epochs"], len(longer.seeds)) == ("longer", 12, 5)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('recipe: {lr: "1e-3"}', 7, "recipe.lr: input should be a valid number, got '1e-3' (str)"),
        ("recipe: {checkpointing: no}", 7, "recipe.checkpointing: input should be a valid boolean, got 'no' (str)"),
        ('recipe: {compile: "true"}', 7, "recipe.compile: input should be True, False or 'auto', got 'true' (str)"),
        ("recipe: {compile: 1}", 7, "recipe.compile: input should be True, False or 'auto', got 1 (int)"),
        ("recipe: {lr: .nan}", 7, "recipe.lr: input should be"),
        ("recipe: {lr: .inf}", 7, "got inf (float)"),
        ("recipe: {average: 2}", 7, "recipe.average: expected `2 epochs` or more, or a decay below 1 as `decay 0.99`"),
        ("recipe: {average: decay 1.0}", 7, "got 'decay 1.0' (str)"),
        ("recipe: {average: 1 epochs}", 7, "recipe.average: expected `2 epochs` or more"),
        ("recipe: {average: {decay: 0.9}}", 7, "as `decay 0.99`, got {'decay': 0.9} ("),
        ("recipe: {epochs: 3, average: 4 epochs}", 7, "average of 4 epochs, but epochs is 3"),
        ("recipe: {name: short}\ngrid: {recipe.average: [null, 2 epohcs]}", 8, "got '2 epohcs' (str)"),
        ("recipe: {batch: 32.0}", 7, "recipe.batch: input should be a valid integer, got 32.0 (float)"),
        ("recipe: {losses: [sdmm]}", 7, "got 'sdmm' (str); did you mean sdm?"),
        ("recipe: {name: shrot}", 7, "unknown recipe 'shrot'"),
        ("recipe: {name: short}\nrecipe: {}", 8, "key given twice: recipe"),
        ("recipe: {name: short}\nseeds: [0, 1.5]", 8, "seeds.1: input should be a valid integer, got 1.5 (float)"),
        ("recipe: {name: short}\nseeds: [true]", 8, "got True (bool)"),
        ("recipe: {name: short}\nseeds: 3", 8, "seeds: input should be a valid tuple, got 3 (int)"),
        ("recipe: {name: short}\ndatasets: []", 8, "key given twice"),
        ("recipe: {name: short}\ngrid:\n  recipe.lr: [1e-3, fast]", 9, "recipe.lr: input should be a valid number"),
        ("recipe: {name: short}\ngrid:\n  recipe.lrr: [1]", 9, "unknown key 'recipe.lrr'; did you mean recipe.lr?"),
        ("recipe: {name: short}\ngrid: {lr: [1]}", 8, "did you mean recipe.lr?"),
        ("recipe: {name: short}\ngrid: {recipe.lr: [1, 1]}", 8, "recipe.lr: a value is given twice"),
        ("recipe: {name: short}\ngrid: {recipe.lr: []}", 8, "recipe.lr: no values"),
        ("recipe: {name: short}\ngrid: {options.rnk: [1]}", 8, "method lora: unknown option 'rnk' (did you mean ra"),
        ("recipe: {name: short}\ngrid: {recipe.lr: [1]}\nzip: {recipe.lr: [1]}", 9, "recipe.lr is in grid and in zip"),
        ("recipe: {name: short}\nzip: {recipe.lr: [1], recipe.batch: [2, 3]}", 8, "lists of one length"),
        ("recipe: {name: short}\nrules: [{when: {method: lorra}, drop: true}]", 8, "did you mean lora?"),
        ("recipe: {name: short}\nrules: [{when: {method: {}}, drop: true}]", 8, "unknown method '{}'; expected one of"),
        ("recipe: {name: short}\nrules: [{when: {datset: x}, drop: true}]", 8, "did you mean dataset?"),
        ("recipe: {name: short}\nrules: [{when: {dataset: cuhk}, drop: true}]", 8, "did you mean cuhk_pedes?"),
        ("recipe: {name: short}\nrules:\n  - {when: {}}", 9, "a rule has either `set` with values or `drop: true`"),
        ("recipe: {name: short}\nrules:\n  - {when: {}, set: {recipe.lr: no}}", 9, "got 'no' (str)"),
        ("recipe: {name: short}\nrules:\n  - {when: {}, then: {}}", 9, "unknown key 'rules.0.then'"),
        ("recipe: {name: short}\ntuning: {trials: 3}", 8, "tuning: nothing is to be chosen"),
        ("recipe: {name: short}\nbudget: [1%]", 8, "unknown key 'budget'; did you mean budgets?"),
    ],
)  # fmt: skip
def test_traps_are_told_with_line_and_type(tmp_path, text, line, words):
    with pytest.raises(UserError) as caught:
        read(tmp_path, BASE.replace("recipe: {name: short}", text), check=resolve.check)
    assert any(f"s.yaml:{line}: " in row and words in row for row in str(caught.value).splitlines()), caught.value


def test_an_image_of_one_number_and_an_option_have_their_own_lines(tmp_path):
    text = BASE.replace("backbone: tiny", "backbone:\n  name: ViT-B-16\n  image: 256").replace(
        "{width: 8}}", "{\n    width: -8,\n    widht: 2}}"
    )
    with pytest.raises(UserError) as caught:
        read(tmp_path, text, check=resolve.check)
    rows = str(caught.value).splitlines()
    assert any("s.yaml:4: backbone.image: input should be a valid tuple, got 256 (int)" in row for row in rows), rows
    assert any(row.startswith(f"{tmp_path}/s.yaml:9: method adapter: ") and "widht" in row for row in rows), rows


def test_values_that_do_not_go_together_name_their_trial(tmp_path):
    text = BASE.replace("{name: short}", "{name: short, sampler: identity}") + "grid: {recipe.batch: [32, 30, 31]}\n"
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    rows = str(caught.value).splitlines()
    assert len(rows) == 4 and "trial lora batch=30: batch 30 is no multiple of instances 4" in rows[0]


def test_faults_of_the_other_study_have_its_lines(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE.replace("adapter,", "adaptr,").replace("{name: short}", "\n  lr: no"))
    with pytest.raises(UserError) as caught:
        read(tmp_path, "extends: base.yaml\nname: child\nrecipe: {epochs: 1.5}\nseeds: [no]\n")
    for words in (
        "s.yaml:3: recipe.epochs",
        "s.yaml:4: seeds.0",
        "base.yaml:8: recipe.lr",
        "base.yaml:6: unknown method",
    ):
        assert words in str(caught.value), (words, str(caught.value))
    with pytest.raises(UserError, match=r"s\.yaml:3: unknown method 'lorra'"):
        read(tmp_path, "extends: base.yaml\nmethods:\n  - lorra\nrecipe: {lr: 1e-3}\nname: child\n")


def test_yaml_1_2_is_read(tmp_path):
    study = read(tmp_path, BASE + "note: no\nseeds: [010]\n")
    assert study.note == "no" and study.seeds == (10,)


def test_rules_act_in_their_order_and_idle_ones_are_named(tmp_path):
    study = read(
        tmp_path,
        BASE
        + textwrap.dedent("""\
            seeds: [0, 1]
            rules:
              - {when: {method: lora}, set: {recipe.lr: 0.5}}
              - {when: {recipe.lr: 0.5, seed: 1}, drop: true}
              - {when: {recipe.lr: 0.25}, drop: true}
            """),
    )
    assert [(t.method, t.seed) for t in trials_of(study)] == [("lora", 0), ("adapter", 0), ("adapter", 1)]
    assert grid.idle(study) == [2]


def test_a_rule_does_not_reach_into_the_study(tmp_path):
    study = read(
        tmp_path, BASE + "rules: [{when: {seed: 0, method: adapter}, set: {options.width: 4}}]\nseeds: [0, 1]\n"
    )
    assert [t.options.get("width") for t in trials_of(study)] == [None, None, 4, 8]
    assert study.methods[1].options == {"width": 8}


def test_one_data_set_may_be_measured_on_with_several_options(tmp_path):
    text = "name: s\nbackbone: tiny\nmethods: [lora]\ndatasets: [{synth_cuhk: {size: tiny}}]\n"
    (trial,) = trials_of(read(tmp_path, text + "evaluate_on: [{synth_cuhk: {size: demo}}, synth_icfg]\n"))
    assert [of.options for of in trial.evaluate_on] == [{"size": "demo"}, {}]


METHODS = """
name: s
backbone: tiny
datasets: [synth_cuhk]
methods:
  - {lora: {rank: 4, alpha: 8}}
  - {lora: {rank: 4, alpha: 16}}
  - {method: adapter, label: small, budgets: [1%]}
  - {method: adapter, label: small, budgets: [2%]}
  - {method: vpt, recipe: {lr: 1e-3}}
  - {method: vpt, tune: {recipe.lr: [1e-2, 1e-1]}}
  - {method: vpt}
"""


def test_methods_of_one_name_are_told_apart_by_their_labels(tmp_path):
    """Else their trials would stand in one cell, or on one line; entries that differ in budgets alone are no two."""
    study = read(tmp_path, METHODS)
    told = ["lora (alpha 8)", "lora (alpha 16)", "small", "small"]
    told += ["vpt (recipe.lr 0.001)", "vpt (tune.recipe.lr [0.01, 0.1])", "vpt"]
    assert grid.names(study) == told == [t.label for t in trials_of(study)]
    plain = read(tmp_path, METHODS.replace("  - {lora: {rank: 4, alpha: 16}}\n", ""))
    assert grid.names(plain)[0] == "lora"


def test_a_grid_stands_behind_what_tells_methods_apart_and_rules_match_labels_as_written(tmp_path):
    rules = "grid: {options.towers: [image, text]}\nrules: [{when: {label: lora towers=text}, set: {recipe.lr: 0.5}}]\n"
    text = METHODS.split("  - {method: adapter")[0] + rules
    study = read(tmp_path, text)
    assert [t.label for t in trials_of(study)] == [
        f"lora (alpha {alpha}) towers={tower}" for alpha in (8, 16) for tower in ("image", "text")
    ]
    assert [t.recipe.lr == 0.5 for t in trials_of(study)] == [False, True] * 2 and grid.idle(study) == []


def test_a_rule_may_name_what_is_told_apart(tmp_path):
    text = METHODS.split("  - {method: adapter")[0]
    rule = "rules: [{when: {options.alpha: 16}, set: {label: mine}}]\n"
    assert [t.label for t in trials_of(read(tmp_path, text + rule))] == ["lora (alpha 8)", "mine"]
