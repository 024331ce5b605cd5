"""UniPELT: gates by hand, and with open gates the union of its parts."""

from __future__ import annotations

import math

import pytest
import torch

from harness.adaptation.method import trainable
from harness.model.weights import random
from methods import adapter, lora, prefix, unipelt
from methods._tokens import Captions, Share


def gate(captions: Captions | None) -> unipelt.Gate:
    found = unipelt.Gate(torch.zeros(1), 2, Share(captions))
    with torch.no_grad():
        found.linear.weight.copy_(torch.tensor([[1.0, 0.0]]))
    return found


def test_gate_by_hand():
    """sigmoid(0) = 1/2, sigmoid(ln 3) = 3/4, sigmoid(ln 9) = 9/10."""
    h = torch.tensor([[[0.0, 9.0], [math.log(3), 9.0], [math.log(9), 9.0]]]).expand(3, -1, -1)
    assert gate(None)(h).flatten().tolist() == pytest.approx(3 * [2.15 / 3])
    captions = Captions()
    captions(h, torch.tensor([0, 1, 2]))
    assert gate(captions)(h).flatten().tolist() == pytest.approx([0.5, 0.625, 2.15 / 3])


def test_tokens_in_front_of_the_words_count():
    captions = Captions()
    captions(torch.zeros(1, 2, 2), torch.tensor([0]))  # the end token is last but one
    h = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0], [99.0, 0.0]]])  # one prompt came before it
    assert gate(captions)(h).item() == pytest.approx(0.625)


def test_low_rank_by_hand():
    frozen = torch.nn.Linear(2, 1)
    layer = unipelt.LowRank(frozen, 1, gate(None))
    with torch.no_grad():
        layer.a.copy_(torch.tensor([[1.0, 1.0]]))
        layer.b.fill_(10.0)
    h = torch.tensor([[[0.0, 2.0], [math.log(3), 0.0]]])
    assert (layer(h) - frozen(h)).flatten().tolist() == pytest.approx([12.5, 6.25 * math.log(3)])


def test_prefix_and_adapter_by_hand():
    """The first token's gate is 1/2, the second's 3/4, their mean 5/8."""
    h = torch.tensor([[[0.0, 2.0], [math.log(3), 0.0]]])
    bank = prefix.Prefix(torch.empty(2, 1, 2), 1.0, False, False)
    with torch.no_grad():
        bank.keys.copy_(torch.tensor([[8.0, 16.0]]))
        bank.values.copy_(torch.tensor([[24.0, 32.0]]))
    keys, values = unipelt.GatedPrefix(bank, gate(None))(h)
    assert (keys.tolist(), values.tolist()) == ([[pytest.approx([5.0, 10.0])]], [[pytest.approx([15.0, 20.0])]])
    inner = adapter.Bottleneck(torch.zeros(1), 2, 1)
    with torch.no_grad():
        inner.up.bias.copy_(torch.tensor([8.0, -16.0]))
    change = unipelt.GatedAdapter(inner, gate(None))(h) - h
    assert change[0].tolist() == 2 * [pytest.approx([5.0, -10.0])]


def test_open_gates_give_the_union_of_the_parts(small_backbone, small_inputs):
    images, ids = small_inputs
    unipelt.Method(rank=2, length=3, width=8).attach(small_backbone)
    other = random(small_backbone.shape, seed=0)
    lora.Method(rank=2, alpha=2.0, targets=("q", "v")).attach(other)
    prefix.Method(length=3).attach(other)
    adapter.Method(width=8, sites=("mlp",)).attach(other)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in trainable(small_backbone).items():
            if "_gate" in name:
                parameter.fill_(50.0 if name.endswith("bias") else 0.0)
            else:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
                other.get_parameter(name.replace("prefix.0.prefix.", "prefix.0.")).copy_(parameter)
    assert torch.allclose(small_backbone.image(images), other.image(images), atol=1e-5)
    assert torch.allclose(small_backbone.text(ids), other.text(ids), atol=1e-5)


def test_every_sample_has_its_own_gate(small_backbone, small_inputs):
    unipelt.Method(rank=2, length=3, width=8).attach(small_backbone)
    found = []
    block = small_backbone.text.blocks[1]
    for site in (block.attn.q.lora_gate, block.attn.prefix[0].prefix_gate, block.after_mlp[0].adapter_gate):
        site.register_forward_hook(lambda _, given, out: found.append(out))
    small_backbone.text(small_inputs[1])
    assert [tuple(out.shape) for out in found] == 3 * [(3, 1, 1)]
    assert all(out.unique().numel() == 3 for out in found)


def test_count_by_hand(small_backbone):
    method = unipelt.Method(rank=2, length=3, width=8)
    image = 2 * 2 * 2 * 128 + 2 * 3 * 128 + 4 * 129 + 2 * 128 * 8 + 8 + 128
    text = 2 * 2 * 2 * 64 + 2 * 3 * 64 + 4 * 65 + 2 * 64 * 4 + 4 + 64
    assert method.parameters(small_backbone.shape) == 2 * (image + text)
