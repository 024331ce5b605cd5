"""Groups that partition the parameters, and schedules against the reference's and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness.errors import UserError
from harness.training import optimizer
from harness.training.recipe import Recipe

FIXTURE = Path(__file__).parents[2] / "fixtures" / "oracle" / "losses_rank_schedule.json"


def parameters():
    names = ("image.a.weight", "image.a.bias", "image.prefix.keys", "text.scale")
    return {name: torch.nn.Parameter(torch.ones(2)) for name in names}


def test_groups_partition_and_decay_by_name():
    own = parameters()
    found = optimizer.groups(own, Recipe(lr=0.1, weight_decay=0.5, lr_factors={"prefix": 0.05}))
    assert sum(len(group["params"]) for group in found) == len(own)
    by_id = {id(p): group for group in found for p in group["params"]}
    assert by_id[id(own["image.a.bias"])]["weight_decay"] == 0.0
    assert by_id[id(own["text.scale"])]["weight_decay"] == 0.5
    assert by_id[id(own["image.prefix.keys"])]["lr"] == pytest.approx(0.005)
    assert len(found) == 3


def test_a_factor_that_meets_no_parameter_is_refused():
    with pytest.raises(UserError, match=r"no trained parameter is named 'prefx'.*keys"):
        optimizer.groups(parameters(), Recipe(lr_factors={"prefx": 0.1}))


def test_schedule_equals_the_reference():
    values = json.loads(FIXTURE.read_text())["lr_schedule"]["values"]["default_cosine_lr1e-3_60ep_warm5"]
    recipe = Recipe(lr=1e-3, epochs=60, warmup_epochs=5, warmup_factor=0.1)
    ours = [recipe.lr * optimizer.factor(recipe, epoch) for epoch in range(len(values))]
    assert len(values) >= 60
    assert ours == pytest.approx(values, rel=1e-9)


def test_schedule_by_hand():
    recipe = Recipe(lr=1.0, epochs=60, warmup_epochs=5, warmup_factor=0.1)
    rates = [optimizer.factor(recipe, e) for e in (0, 1, 4, 5, 32.5, 60)]
    assert rates == pytest.approx([0.1, 0.28, 0.82, 1.0, 0.5, 0.0])
    constant = Recipe(schedule="constant", warmup_epochs=0)
    assert optimizer.factor(constant, 17) == 1.0


def test_steps_within_an_epoch():
    recipe = Recipe(lr=2.0, epochs=4, warmup_epochs=2, warmup_factor=0.0, schedule_per="step", lr_factors={"keys": 0.5})
    adam = optimizer.build(parameters(), recipe)
    assert optimizer.set_rate(adam, recipe, 1, 5, 10) == pytest.approx(1.5)
    assert sorted({group["lr"] for group in adam.param_groups}) == pytest.approx([0.75, 1.5])
    per_epoch = recipe.model_copy(update={"schedule_per": "epoch"})
    assert optimizer.set_rate(adam, per_epoch, 1, 5, 10) == pytest.approx(1.0)
