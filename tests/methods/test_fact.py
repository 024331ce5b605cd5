"""FacT: counts, sharing, and the update of each weight written out as a sum over its square parts."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.adaptation.method import trainable
from harness.adaptation.probe import BASE, SMALL, attached, disturb, sizes_of
from harness.errors import UserError
from harness.model.clip import Backbone
from methods import fact


def test_counts_by_hand():
    shape = sizes_of(BASE)
    assert fact.Method(rank=16, towers="image").parameters(shape) == 2 * 768 * 16 + 144 * 16**2
    assert fact.Method(rank=32, towers="image", form="tk").parameters(shape) == 2 * 768 * 32 + 32**3 + 144 * 32
    assert fact.Method(rank=8, targets=("q", "fc2"), towers="text", depth=3).parameters(shape) == (
        2 * 512 * 8 + 3 * (1 + 4) * 8**2
    )


@pytest.mark.parametrize("form", ["tt", "tk"])
def test_update_is_the_factorised_tensor(form):
    backbone = disturb(attached(fact.Method(rank=3, form=form, scale=2.0)))
    block = backbone.image.blocks[1]
    for name, module in [("q", block.attn.q), ("fc1", block.mlp.fc1), ("fc2", block.mlp.fc2)]:
        factors, parts = module.factors, {"q": 1, "fc1": 4, "fc2": 4}[name]
        if form == "tt":
            cores = list(module.sigma)
        else:
            cores = [sum(module.p[i, k] * factors.c[k] for k in range(3)) for i in range(parts)]
        squares = [2.0 * factors.v @ core @ factors.u for core in cores]
        update = torch.cat(squares, dim=1 if name == "fc2" else 0)
        assert torch.allclose(module.merged().weight - module.frozen.weight, update, atol=1e-12)


@pytest.mark.parametrize("form", ["tt", "tk"])
def test_factors_are_shared_by_a_tower_and_saved_once(form):
    names = list(trainable(attached(fact.Method(rank=3, form=form))))
    shared = [name for name in names if ".factors." in name]
    assert len(shared) == 2 * (2 if form == "tt" else 3)
    assert len(names) - len(shared) == 2 * 2 * 6


def test_an_mlp_that_is_no_multiple_of_the_width_is_refused_with_a_way_out():
    odd = dataclasses.replace(SMALL, image=dataclasses.replace(SMALL.image, mlp=500))
    with pytest.raises(UserError, match="targets among q, k, v, out"):
        fact.Method().parameters(odd)
    with torch.device("meta"):
        fact.Method(targets=("q", "out")).attach(Backbone(odd))
