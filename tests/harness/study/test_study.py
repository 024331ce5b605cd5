"""Studies: the grid they span, and every fault of a file in one message."""

from __future__ import annotations

import textwrap

import pytest

from harness import registry
from harness.errors import UserError
from harness.study.grid import trials as trials_of
from harness.study.reading import load


@pytest.fixture
def study(tmp_path):
    def write(text: str, name: str = "s.yaml", **more):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return load(tmp_path / name, **more)

    return write


GOOD = """
    name: s
    backbone: tiny
    datasets: [cuhk_pedes, {rstpreid: {root: there}}]
    methods: [zero_shot, lora: {rank: 8}, {method: prefix, label: P, recipe: {lr: 1e-2}, budgets: [5%]}]
    budgets: [1%, 2M]
    seeds: [0, 1]
    recipe: {name: short, lr: 1e-3}
"""


def test_the_grid_is_the_product(study):
    trials = trials_of(study(GOOD))
    assert len(trials) == 2 * 2 * (2 + 2 + 1)
    first = trials[4]
    assert (first.method, first.options, first.budget, first.seed) == ("lora", {"rank": 8}, "1%", 0)
    assert first.recipe.optimizer == "adamw" and first.recipe.lr == 1e-3 and first.backbone.name == "tiny"
    prefix = next(t for t in trials if t.method == "prefix")
    assert (prefix.label, prefix.recipe.lr, prefix.budget) == ("P", 0.01, "5%")
    assert trials[-1].dataset.options == {"root": "there"}


def test_grid_zip_and_rules(study):
    trials = trials_of(
        study(
            GOOD.replace("[zero_shot, ", "[")
            + """
    grid: {options.towers: [image, text]}
    zip: {recipe.batch: [32, 64], recipe.epochs: [1, 2]}
    rules:
      - {when: {dataset: rstpreid, method: [lora]}, set: {options.rank: 16, recipe.lr: 1e-4}}
"""
        )
    )
    assert len(trials) == 2 * 3 * 2 * 2 * 2
    assert {(t.recipe.batch, t.recipe.epochs) for t in trials} == {(32, 1), (64, 2)}
    ruled = [t for t in trials if t.dataset.dataset == "rstpreid" and t.method == "lora"]
    assert {(t.options["rank"], t.recipe.lr) for t in ruled} == {(16, 1e-4)}
    assert all(t.recipe.lr != 1e-4 for t in trials if t not in ruled)
    assert trials[0].label == "lora towers=image batch=32 epochs=1"


def test_equal_trials_appear_once(study):
    assert len(trials_of(study(GOOD.replace("seeds: [0, 1]", "seeds: [0, 0]")))) == 10


def test_every_fault_in_one_pass_with_its_line(study):
    with pytest.raises(UserError) as caught:
        study("""\
            name: s
            backbone: tiny
            datsets: [cuhk_pedes]
            datasets: [cuhk_pedess]
            methods:
              - lorra
              - {method: prefix, recipe: {lr: no}}
            recipe:
              lr: 1e-3x
              epoch: 3
            seeds: [0, "1"]
            """)
    text = str(caught.value)
    for line, words in {
        3: "unknown key 'datsets'; did you mean datasets?",
        4: "did you mean cuhk_pedes?",
        6: "did you mean lora?",
        7: "lr: input should be a valid number, got 'no'",
        9: "recipe.lr: input should be a valid number, got '1e-3x'",
        10: "unknown key 'recipe.epoch'; did you mean epochs?",
        11: "seeds.1: input should be a valid integer, got '1' (str)",
    }.items():
        assert any(f".yaml:{line}: " in row and words in row for row in text.splitlines()), (line, text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: s\n", "name: s\n    name: t\n", "key given twice"),
        ("backbone: tiny", "backbone: [", "no YAML"),
        ("lr: 1e-3", "lr: .nan", "recipe.lr"),
        ("lr: 1e-3", "lr: -1", "recipe.lr: input should be greater than 0"),
        ("name: short", "name: shrt", "unknown recipe 'shrt'"),
        ("seeds: [0, 1]", "seeds: yes", "seeds"),
        ("name: s\n", "name: a/b\n", "name: string should match"),
        ("backbone: tiny", "question: why", "key 'backbone' is missing"),
        ("recipe: {name: short, lr: 1e-3}", "recipe: {sampler: identity, batch: 30}", "no multiple of instances"),
    ],
)
def test_yaml_traps(study, old, new, words):
    with pytest.raises(UserError, match=words):
        study(GOOD.replace(old, new))


def test_options_of_methods_are_checked_in_the_same_pass(study):
    with pytest.raises(UserError, match=r"s\.yaml:5: bad rank\n.*s\.yaml:9: unknown key 'seedz'"):
        study(GOOD + "    seedz: 3\n", check=lambda method, given: ["bad rank"] if method == "lora" else [])


def test_settings_and_extends(study, tmp_path):
    study(GOOD, "base.yaml")
    child = study(
        "name: child\nextends: base.yaml\nrecipe: {epochs: 9}\n", settings={"recipe.lr": "3e-4", "seeds": "[7]"}
    )
    read = {(t.method, t.recipe.lr, t.recipe.epochs, t.seed, t.recipe.name) for t in trials_of(child)}
    assert read == {(m, r, 9, 7, "short") for m, r in (("zero_shot", 3e-4), ("lora", 3e-4), ("prefix", 1e-2))}
    with pytest.raises(UserError, match=r"--set recipe\.lr: recipe\.lr: input should be a valid number"):
        study(GOOD, settings={"recipe.lr": "fast"})
    with pytest.raises(UserError, match=r"no such study; expected a YAML file; did you mean base\.yaml"):
        load(tmp_path / "bse.yaml")
    with pytest.raises(UserError, match="extends itself"):
        study("name: x\nextends: loop.yaml\n", "loop.yaml")


def test_a_union_is_written_as_a_list(study):
    trial = trials_of(study(GOOD.replace("zero_shot", "union: [s_prefix, {lora: {rank: 2}}]")))[0]
    assert trial.options == {"parts": ["s_prefix", {"lora": {"rank": 2}}]}


def test_unknown_kind_of_file_is_no_method(study):
    with pytest.raises(UserError, match="unknown method"):
        study(GOOD.replace("zero_shot", "./nothing.py"))
    assert "lora" in registry.names("methods")
