"""RepAdapter by hand, and its folding into the linears."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.adaptation.budget import parse, solve
from harness.adaptation.method import merge, trainable
from harness.errors import UserError
from harness.model.weights import Source, shape
from methods import lora, rep_adapter, union


def by_hand() -> rep_adapter.Before:
    """D = [[1, 0], [1, 1]], b_down = [0, 1], U = diag(2, 3), b_up = [0.5, 0], s = 0.1, W = [1, 1], b = 0."""
    adapter = rep_adapter.Sparse(torch.zeros(1), 2, 2, 2, 0.1)
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        adapter.down.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        adapter.down.bias.copy_(torch.tensor([0.0, 1.0]))
        adapter.up.copy_(torch.tensor([[[2.0]], [[3.0]]]))
        adapter.up_bias.copy_(torch.tensor([0.5, 0.0]))
        linear.weight.fill_(1.0)
        linear.bias.zero_()
    return rep_adapter.Before(linear, adapter)


def test_by_hand():
    layer = by_hand()
    assert layer.adapter(torch.tensor([1.0, 2.0])).tolist() == pytest.approx([1.25, 3.2])
    assert layer(torch.tensor([1.0, 2.0])).item() == pytest.approx(4.45)
    plain = layer.merged()
    assert plain.weight[0].tolist() == pytest.approx([1.5, 1.3])
    assert plain.bias.item() == pytest.approx(0.35)
    assert not plain.weight.requires_grad


def test_up_projection_is_block_diagonal():
    adapter = rep_adapter.Sparse(torch.zeros(1), 4, 4, 2, 1.0)
    nn.init.ones_(adapter.up)
    with torch.no_grad():
        adapter.down.weight.copy_(torch.eye(4))
    change = adapter(torch.tensor([1.0, 2.0, 30.0, 40.0])) - torch.tensor([1.0, 2.0, 30.0, 40.0])
    assert change.tolist() == [3.0, 3.0, 70.0, 70.0]


@pytest.mark.parametrize("parts", [["rep_adapter"], ["lora", "rep_adapter"], ["rep_adapter", "lora"]])
def test_merged_equals_unmerged(small_backbone, small_inputs, parts):
    images, ids = small_inputs
    union.Method(parts=tuple(parts)).attach(small_backbone)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trainable(small_backbone).values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        before = small_backbone.image(images), small_backbone.text(ids)
        folded = merge(small_backbone)
        after = small_backbone.image(images), small_backbone.text(ids)
    assert folded == 4 * 4
    assert max(float((a - b).abs().max()) for a, b in zip(before, after, strict=True)) < 2e-5
    assert not trainable(small_backbone)
    assert not any(isinstance(m, rep_adapter.Before | lora.LowRank) for m in small_backbone.modules())


def test_queries_keys_and_values_share_one_adapter(small_backbone):
    rep_adapter.Method().attach(small_backbone)
    attn = small_backbone.text.blocks[0].attn
    assert attn.q.adapter is attn.k.adapter is attn.v.adapter
    assert sum(p.numel() for p in trainable(small_backbone).values()) == 2 * 2 * sum(
        8 * d + 8 + 4 * d + d for d in (128, 64)
    )


def test_sizes_on_vit_b_16():
    """The paper's 0.22 M on one ViT-B, which leaves out biases: 24 adapters of 768 * 8 * 1.5 weights."""
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    assert rep_adapter.Method(towers="image").parameters(sizes) == 24 * (768 * 8 + 768 * 4) + 24 * (768 + 8)
    assert 24 * (768 * 8 + 768 * 4) == 221_184


def test_width_stays_a_multiple_of_the_groups():
    with pytest.raises(UserError, match="width 9 is no multiple of 2 groups"):
        rep_adapter.Method(width=9)
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    for share in ("0.1%", "1%", "5%"):
        assert solve(rep_adapter.Method(groups=4), sizes, parse(share)).method.width % 4 == 0
