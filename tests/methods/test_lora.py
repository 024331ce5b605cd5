"""LoRA: published counts, scalings and the wrapping of linears. Equality with `peft` is in test_peft.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.adaptation.method import trainable
from harness.adaptation.probe import BASE, attached, on_meta, sizes_of, small
from methods import lora

KV = {"targets": ("k", "v"), "scaling": "learned"}


@pytest.mark.parametrize(
    ("method", "count"),
    [
        (lora.Method(rank=32, **KV), 1_966_128),
        (lora.Method(rank=32, towers="image", **KV), 1_179_672),
        (lora.Method(rank=32, towers="text", **KV), 786_456),
        *[(lora.Method(rank=r, targets=("k", "v")), 61_440 * r) for r in (4, 8, 16, 64, 128)],
        (lora.Method(rank=4, targets=("q", "k", "v", "out")), 491_520),
        (lora.Method(rank=2, targets=("q", "k", "v")), 184_320),
    ],
    ids=str,
)
def test_published_counts_on_vit_b16(method, count):
    assert method.parameters(sizes_of(BASE)) == count
    assert sum(p.numel() for p in trainable(on_meta(method, sizes_of(BASE))).values()) == count


def test_targets_are_wrapped_where_they_are():
    backbone, plain = attached(lora.Method(targets=("out", "fc2"), depth=(1,), towers="text")), small()
    wrapped = {name for name, module in backbone.named_modules() if isinstance(module, lora.LowRank)}
    assert wrapped == {"text.blocks.1.attn.out", "text.blocks.1.mlp.fc2"}
    for name in wrapped:
        assert torch.equal(backbone.get_submodule(name).frozen.weight, plain.get_submodule(name).weight)


def test_update_by_hand():
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.copy_(torch.tensor([0.0, 5.0]))
    module = lora.LowRank(linear, 1, 2.0)
    with torch.no_grad():
        module.a.copy_(torch.tensor([[1.0, -1.0]]))
        module.b.copy_(torch.tensor([[3.0], [1.0]]))
    # x = (4, 1): A x = 3, B 3 = (9, 3), twice that is (18, 6).
    assert module(torch.tensor([[4.0, 1.0]])).tolist() == [[22.0, 12.0]]
    assert module.merged().weight.tolist() == [[7.0, -6.0], [2.0, -1.0]]


def test_start():
    module = attached(lora.Method(rank=8, scaling="learned")).image.blocks[0].attn.q
    bound = 128**-0.5
    assert 0.9 * bound < float(module.a.detach().abs().max()) <= bound and not module.b.any()
    assert float(module.scale.detach()) == 1.0 and isinstance(module.scale, nn.Parameter)
    assert attached(lora.Method(rank=8, alpha=4.0)).text.blocks[0].attn.v.scale == 0.5
    assert attached(lora.Method(rank=16, alpha=4.0, scaling="rslora")).text.blocks[0].attn.v.scale == 1.0
