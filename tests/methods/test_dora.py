"""DoRA: counts, its weight by hand, and its place beside another method. Equality with `peft` is in test_peft.py."""

from __future__ import annotations

import torch
from torch import nn

from harness.adaptation.probe import BASE, attached, sizes_of
from methods import dora, lora


def test_count_on_vit_b16():
    assert dora.Method(rank=32, targets=("k", "v")).parameters(sizes_of(BASE)) == 1_996_800


def test_weight_by_hand():
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
        linear.bias.copy_(torch.tensor([1.0, -1.0]))
    module = dora.Decomposed(linear, 1, 0.5)
    assert module.magnitude.tolist() == [3.0, 2.0]
    with torch.no_grad():
        module.a.copy_(torch.tensor([[0.0, 4.0]]))
        module.b.copy_(torch.tensor([[2.0], [0.0]]))
        module.magnitude.copy_(torch.tensor([10.0, 6.0]))
    # W + s B A = [[3, 4], [0, 2]] with rows of length 5 and 2, which m makes [[6, 8], [0, 6]].
    assert torch.allclose(module.merged().weight, torch.tensor([[6.0, 8.0], [0.0, 6.0]]))
    assert torch.allclose(module(torch.tensor([[1.0, 1.0]])), torch.tensor([[15.0, 5.0]]))


def test_norm_is_a_constant_for_the_gradient():
    module = attached(dora.Method(rank=2)).image.blocks[0].attn.q
    with torch.no_grad():
        module.b.normal_(generator=torch.Generator().manual_seed(0))
    gain = module.gain()
    assert gain.grad_fn is not None
    assert torch.autograd.grad(gain.sum(), [module.a, module.b], allow_unused=True) == (None, None)


def test_beside_lora_on_the_same_linear_both_updates_of_the_frozen_weight_add_up():
    backbone = attached(lora.Method(rank=2))
    inner = backbone.text.blocks[0].attn.v
    outer = dora.Decomposed(inner, 3, 1.0)
    with torch.no_grad():
        for parameter in (inner.b, outer.b, outer.magnitude):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    weight = inner.frozen.weight + inner.delta() + outer.delta()
    x = torch.randn(2, 3, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(outer(x), x @ weight.T + inner.frozen.bias)
