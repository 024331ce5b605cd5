"""PiSSA: what is frozen and what is trained at the start. Equality with `peft` is in test_peft.py."""

from __future__ import annotations

import torch

from harness.adaptation.probe import BASE, attached, sizes_of, small
from methods import lora, pissa


def test_count_equals_lora():
    place = {"rank": 16, "targets": ("k", "v", "fc1")}
    assert pissa.Method(**place).parameters(sizes_of(BASE)) == lora.Method(**place).parameters(sizes_of(BASE))


def test_trains_the_largest_singular_values_and_freezes_the_rest():
    whole = small().image.blocks[1].mlp.fc1.weight
    module = attached(pissa.Method(rank=5, targets=("fc1",))).image.blocks[1].mlp.fc1
    values = torch.linalg.svdvals(whole)
    assert torch.allclose(torch.linalg.svdvals(module.delta())[:5], values[:5], rtol=1e-5)
    assert torch.allclose(torch.linalg.svdvals(module.frozen.weight)[: len(values) - 5], values[5:], rtol=1e-5)
    assert torch.allclose(module.frozen.weight + module.delta(), whole, atol=1e-12)
    # Both factors take the root of the values, so they are balanced.
    assert torch.allclose(module.a @ module.a.T, module.b.T @ module.b, atol=1e-5)


def test_weights_given_to_the_backbone_are_left_alone():
    backbone = small()
    given = backbone.image.blocks[0].attn.q.weight
    before = given.clone()
    pissa.Method(rank=2).attach(backbone)
    assert torch.equal(given, before)
    assert not torch.equal(backbone.image.blocks[0].attn.q.frozen.weight, before)


def test_rank_is_limited_by_the_number_of_singular_values():
    assert pissa.Method(targets=("fc1",)).limits(sizes_of(BASE)) == {"rank": 512}
