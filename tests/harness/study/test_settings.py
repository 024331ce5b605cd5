"""Every value of a study reaches its trials, or what is said of them; the fields come from the classes."""

from __future__ import annotations

from typing import Any

import pytest

from harness.study.grid import points, spread, trials
from harness.study.study import Study
from harness.study.values import Entry, Rule, Tuning

BASE: dict[str, Any] = {
    "name": "s",
    "backbone": "tiny",
    "datasets": ["synth_cuhk"],
    "methods": ["lora", "adapter"],
    "recipe": {"name": "short"},
}
LISTS = {"recipe.lr": [1e-3, 1e-2, 1e-1], "recipe.batch": [16, 32]}
OTHER = {"dataset": "synth_rstp", "options": {}}

# field -> another value, and what every trial then has, by the dotted name of what it is in a trial.
TRIALS: dict[str, list[tuple[Any, dict[str, Any]]]] = {
    "backbone": [({"name": "tiny", "resize": "bicubic"}, {"backbone.resize": "bicubic"})],
    "datasets": [(["synth_rstp"], {"dataset.dataset": "synth_rstp"})],
    "methods": [(["vpt"], {"method": "vpt", "label": "vpt"})],
    "budgets": [(["3%"], {"budget": "3%"}), ([4000], {"budget": "4000"})],
    "seeds": [([7], {"seed": 7})],
    "recipe": [({"name": "short", "lr": 0.5}, {"recipe.lr": 0.5})],
    "grid": [({"recipe.lr": [0.25]}, {"recipe.lr": 0.25})],
    "zip": [({"recipe.lr": [0.25], "seed": [0]}, {"recipe.lr": 0.25})],
    "rules": [([{"when": {"dataset": "synth_cuhk"}, "set": {"recipe.lr": 0.25}}], {"recipe.lr": 0.25})],
    "selection": [("last", {"selection": "last"}), ("test-oracle", {"selection": "test-oracle"})],
    "evaluate_on": [(["synth_rstp"], {"evaluate_on": [OTHER]})],
    "keep": [("all", {"keep": "all"}), ("none", {"keep": "none"})],
    "device": [("cpu", {"device": "cpu"})],
    "threads": [(3, {"threads": 3})],
}
SAID = {"name", "question", "note"}  # in the document, which the store declares and reports print
OWN = {"budget_mode", "tune", "tuning"}  # tests of their own
ENTRY = {
    "method": ({"method": "vpt"}, {"method": "vpt"}),
    "options": ({"method": "lora", "options": {"rank": 7}}, {"options.rank": 7}),
    "label": ({"method": "lora", "label": "mine"}, {"label": "mine"}),
    "budgets": ({"method": "lora", "budgets": ["3%"]}, {"budget": "3%"}),
    "recipe": ({"method": "lora", "recipe": {"lr": 0.5}}, {"recipe.lr": 0.5}),
}


def study(**changes: Any) -> Study:
    return Study(**{**BASE, **changes})


def value(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document[part]
    return document


def expect(asked: Study, wanted: dict[str, Any]) -> None:
    plain, found = trials(study())[0].as_dict(), [trial.as_dict() for trial in trials(asked)]
    assert found
    for key, now in wanted.items():
        before = value(plain, key) if key != "options.rank" else 4
        assert before != now and {str(value(each, key)) for each in found} == {str(now)}, key


@pytest.mark.parametrize(("field", "given", "wanted"), [(f, *row) for f, rows in TRIALS.items() for row in rows])
def test_a_value_reaches_every_trial(field, given, wanted):
    expect(study(**{field: given}), wanted)


@pytest.mark.parametrize("field", ENTRY)
def test_a_value_of_a_method_reaches_its_trials(field):
    given, wanted = ENTRY[field]
    expect(study(methods=[given]), wanted)


@pytest.mark.parametrize("field", sorted(SAID))
def test_a_text_is_in_the_document(field):
    assert study(**{field: "another"}).document[field] == "another"


@pytest.mark.parametrize(("mode", "written"), [("params", "70%"), ("flops", "flops 70%"), ("memory", "memory 70%")])
def test_the_mode_is_that_of_budgets_without_one(mode, written):
    asked = study(budgets=["70%", "memory 8G"], budget_mode=mode, methods=["lora"])
    assert [trial.budget for trial in trials(asked)] == [written, "memory 8G"]


def test_a_rule_acts_where_it_matches_or_drops():
    rule = {"when": {"method": "lora"}, "set": {"recipe.lr": 0.25}}
    found = {trial.method: trial.recipe.lr for trial in trials(study(rules=[rule]))}
    assert found["lora"] == 0.25 != found["adapter"]
    dropped = trials(study(rules=[{"when": {"method": "lora"}, "drop": True}]))
    assert [trial.method for trial in dropped] == ["adapter"]


def test_what_is_searched():
    asked = study(tune=LISTS, tuning={"trials": 4, "seeds": [50]})
    entry = asked.methods[0]
    assert len(points(study(tune=LISTS), entry)) == 6 and len(points(asked, entry)) == 4
    assert points(study(), entry) == [] and points(study(tune=LISTS, methods=[{"method": "lora", "tune": {}}]), Entry(
        method="lora", tune={})) == []  # fmt: skip
    found = [s.trial for s in spread(asked, asked.tuning.seeds, lambda _: points(asked, entry), "tuning")]
    assert {t.seed for t in found} == {50} and {t.phase for t in found} == {"tuning"} and len(found) == 8
    assert len({(t.recipe.lr, t.recipe.batch) for t in found}) == 4
    assert {t.selection for t in found} == {"val"} and {t.evaluate_on for t in found} == {()}


def test_every_field_is_looked_at():
    assert {*TRIALS, *SAID, *OWN} == set(Study.model_fields)
    assert {*ENTRY, "tune"} == set(Entry.model_fields) and set(Rule.model_fields) == {"when", "set", "drop"}
    # `per`: tests/harness/study/test_tuning.py; `prune`: what `run` makes of it is in tests/harness/execution.
    assert set(Tuning.model_fields) == {"trials", "seeds", "per", "prune"}
