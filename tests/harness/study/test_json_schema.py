"""The schema for editors takes every shipped study, and marks typical faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from harness import registry
from harness.cli import main
from harness.study import json_schema

ROOT = Path(__file__).parents[3]
GOOD = """
name: s
backbone: tiny
datasets: [synth_cuhk, {rstpreid: {root: there}}]
methods: [lora, {lora: {rank: 8}}, {union: [prefix, {lora: {rank: 2}}]}, ./mine.py, {method: prefix, tune: {}}]
budgets: [1%, 2M, 1000, null]
recipe: {name: short, lr: 1e-3}
grid: {options.towers: [image], recipe.batch: [32]}
tune: {recipe.lr: [1e-3]}
tuning: {trials: all}
rules: [{when: {dataset: rstpreid}, set: {recipe.lr: 1e-4}}, {when: {method: lora}, drop: true}]
"""


@pytest.fixture(scope="module")
def faults():
    found = json_schema.schema()
    Draft202012Validator.check_schema(found)
    validator = Draft202012Validator(json.loads(json.dumps(found)))
    return lambda text: list(validator.iter_errors(YAML(typ="safe").load(text)))


@pytest.mark.parametrize("path", sorted((ROOT / "studies").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_is_valid(faults, path):
    assert not faults(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: s\n", ""),
        ("backbone: tiny", "backbone: {name: tiny, image: 256}"),
        ("[synth_cuhk,", "[synth_cuk,"),
        ("[lora,", "[lorra,"),
        ("rank: 8", "rnk: 8"),
        ("rank: 8", "rank: -8"),
        ("rank: 8", "rank: '8'"),
        ("{rank: 2}", "{rnk: 2}"),
        ("name: short", "name: shrt"),
        ("lr: 1e-3}", "lr: fast}"),
        ("lr: 1e-3}", "lr: -1}"),
        ("lr: 1e-3}", "epochs: 2.5}"),
        ("lr: 1e-3}", "losses: [sdmm]}"),
        ("lr: 1e-3}", "checkpointing: no}"),
        *(
            ("lr: 1e-3}", f"average: {value}}}")
            for value in ("2", "1 epochs", "decay 1.0", "decay 0.90", "2 epochs ago")
        ),
        ("budgets:", "budgetz:"),
        ("recipe.batch: [32]", "recipe.bach: [32]"),
        ("recipe.batch: [32]", "recipe.batch: 32"),
        ("recipe.lr: [1e-3]", "seed: [1]"),
        ("trials: all", "trials: every"),
        ("drop: true", "drop: true, set: {recipe.lr: 1}"),
        ("tune: {}", "tune: {lr: [1]}"),
    ],
)
def test_faults_are_marked(faults, old, new):
    assert GOOD.count(old) >= 1 and not faults(GOOD)
    assert faults(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("value", ["2 epochs", "12 epochs", "decay 0.99", "null"])
def test_a_mean_is_no_fault(faults, value):
    assert not faults(GOOD.replace("lr: 1e-3}", f"average: {value}}}", 1))
    assert not faults(GOOD.replace("recipe.batch: [32]", f"recipe.average: [{value}]"))


def test_names_and_options_are_those_of_the_registry(faults, capsys):
    assert main.call(["schema"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["$defs"]["method"]["anyOf"][0]["enum"] == registry.names("methods")
    assert found["$defs"]["Recipe"]["properties"]["name"]["enum"] == registry.names("recipes")
    single = found["$defs"]["method"]["anyOf"][2]["properties"]
    assert set(single) == set(registry.names("methods"))
    assert {"rank", "targets", "towers"} <= set(single["lora"]["anyOf"][0]["properties"])
    assert "union" not in single["lora"]
    assert not faults("extends: base.yaml\nseeds: [1]\n")
