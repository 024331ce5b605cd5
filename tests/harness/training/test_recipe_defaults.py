"""Values of `Recipe`, of every named recipe and of a study, with their sources. "ours" where a source says nothing."""

from __future__ import annotations

import pytest

from harness import registry
from harness.study.study import Study
from harness.study.values import Entry, Rule, Tuning
from harness.training.recipe import Recipe, named
from harness.trial.spec import Backbone, Data

IRRA = "Jiang and Ye 2023 (IRRA), released code, utils/options.py"
UP_PERSON = "Liu et al. (UP-Person, arXiv 2504.10084)"

# [(source, values)]
RECIPE: list[tuple[str, dict]] = [
    (UP_PERSON, {"epochs": 60, "batch": 128, "lr": 1e-3, "losses": ("sdm",), "temperature": 0.02}),
    (f"{UP_PERSON}, released code", {"optimizer": "adam", "betas": (0.9, 0.999), "weight_decay": 4e-5}),
    ("Adam's; the released code has 1e-3, see recipes/up_person.yaml", {"eps": 1e-8}),
    (IRRA, {"warmup_epochs": 5, "warmup_factor": 0.1, "schedule": "cosine", "schedule_per": "epoch"}),
    (IRRA, {"augmentation": "irra", "mlm_share": 0.15, "interaction": 4, "sampler": "random", "instances": 4}),
    (IRRA, {"evaluate_every": 1}),
    (f"{UP_PERSON}, released code without --MLM", {"mask_captions": 0.0}),
    ("none in UP-Person", {"lr_factors": {}, "clip_gradient": None, "average": None}),
    ("ours", {"name": "default", "precision": "auto", "checkpointing": False, "compile": False, "micro_batch": None}),
]
TBPS = "Cao et al. 2024 (TBPS-CLIP), released code, config.yaml"
RDE = "Qin et al. 2024 (RDE)"
NAMED: dict[str, list[tuple[str, dict]]] = {
    "default": [],
    "irra": [
        ("IRRA, README and section 4.1", {"batch": 64, "lr": 1e-5, "losses": ["sdm", "id", "mlm"]}),
        ("IRRA, released code, solver/build.py", {"eps": 1e-3}),
        ("IRRA, released code: masked captions in every loss", {"mask_captions": 0.15}),
        (IRRA, {"lr_factors": {"classifier": 5.0, "mlm_head": 5.0, "bias": 2.0, "cross": 5.0}}),
    ],
    "rde": [
        (f"{RDE}, section 4.2", {"batch": 64, "lr": 1e-5, "losses": ["tal"], "temperature": 0.015}),
        (f"{RDE}, released code, which keeps IRRA's optimizer", {"eps": 1e-3}),
    ],
    "short": [
        ("ours", {"epochs": 4, "batch": 64, "warmup_epochs": 0.5, "schedule_per": "step"}),
        ("ours", {"augmentation": "flip", "optimizer": "adamw"}),
    ],
    "tbps_clip": [
        (TBPS, {"epochs": 5, "batch": 80, "weight_decay": 0.02, "warmup_epochs": 1}),
        ("released code, misc/build.py", {"optimizer": "adamw"}),
        ("ours: the released config.yaml has 1e-4", {"lr": 1e-5}),
    ],
    "up_person": [(f"{UP_PERSON}, released code, solver/build.py", {"eps": 1e-3})],
}
STUDY = {
    Study: {"question": "", "note": "", "budgets": (None,), "budget_mode": "params", "seeds": (0,), "recipe": {}}
    | {"grid": {}, "zip": {}, "tune": {}, "tuning": Tuning(), "rules": (), "selection": "val", "evaluate_on": ()}
    | {"device": "auto", "threads": 1, "keep": "adapters"},
    Tuning: {"trials": "all", "seeds": (100,), "per": ("method", "dataset"), "prune": "none"},
    Entry: {"options": {}, "label": None, "budgets": None, "recipe": {}, "tune": None},
    Rule: {"set": {}, "drop": False},
    Data: {"options": {}},
    # OpenAI's CLIP ViT-B/16, as UP-Person; bilinear positions as its released code
    Backbone: {"name": "ViT-B-16", "pretrained": None, "image": None, "resize": "bilinear", "activation": "auto"}
    | {"trained_at": None},
}
REQUIRED = {Study: {"name", "backbone", "datasets", "methods"}, Entry: {"method"}, Rule: {"when"}, Data: {"dataset"}}


def joined(table: list[tuple[str, dict]]) -> dict:
    assert all(source for source, _ in table)
    known = [key for _, values in table for key in values]
    assert len(known) == len(set(known))
    return {key: value for _, values in table for key, value in values.items()}


def test_defaults_of_recipes():
    assert joined(RECIPE) == Recipe().model_dump()
    assert set(joined(RECIPE)) == set(Recipe.model_fields)


def test_every_named_recipe_is_in_the_table():
    assert set(NAMED) == set(registry.names("recipes"))


@pytest.mark.parametrize("name", NAMED)
def test_values_of_a_named_recipe(name):
    assert joined(NAMED[name]) == named(name)


@pytest.mark.parametrize("kind", STUDY, ids=lambda kind: kind.__name__)
def test_defaults_of_a_study(kind):
    found = {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required()
    }
    assert found == STUDY[kind]
    assert set(kind.model_fields) - set(found) == REQUIRED.get(kind, set())
