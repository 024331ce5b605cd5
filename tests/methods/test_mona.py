"""Mona by hand, and its place behind the residual sums."""

from __future__ import annotations

import math

import pytest
import torch

from harness.adaptation.method import make
from harness.errors import UserError
from harness.model.weights import Source, shape
from methods import mona


def gelu(value: float) -> float:
    return value * (1 + math.erf(value / math.sqrt(2))) / 2


def test_by_hand():
    """One patch and the class token, d = 2, w = 1: the convolutions are their centre taps 1, 2 and 3."""
    layer = mona.Mona(torch.zeros(1), 2, 1, (1, 1))
    with torch.no_grad():
        layer.normed.fill_(0.5)
        layer.plain.fill_(2.0)
        layer.down.weight.copy_(torch.tensor([[1.0, 0.0]]))
        for centre, conv in enumerate(layer.depthwise, 1):
            conv.weight.fill_(7.0)
            conv.weight[0, 0, conv.padding[0], conv.padding[1]] = centre
            conv.bias.zero_()
        layer.mix.weight.fill_(0.5)
        layer.mix.bias.fill_(1.0)
        layer.up.weight.copy_(torch.tensor([[2.0], [0.0]]))
    x = torch.tensor([[[1.0, 3.0], [3.0, 1.0]]])
    # LN: [-1, 1] and [1, -1]; z: -0.5 + 2 and 0.5 + 6; y = z + (1 + 2 + 3) z / 3 = 3 z; M = y + 0.5 y + 1
    expected = [1 + 2 * gelu(4.5 * 1.5 + 1), 3 + 2 * gelu(4.5 * 6.5 + 1)]
    out = layer(x)
    assert out[0, :, 0].tolist() == pytest.approx(expected, rel=1e-4)
    assert out[0, :, 1].tolist() == [3.0, 1.0]


def test_it_stands_behind_both_residual_sums(small_backbone):
    mona.Method(width=4).attach(small_backbone)
    block, x = small_backbone.image.blocks[1], torch.randn(2, 9, 128)
    first, second = block.past_attn[0], block.past_mlp[0]
    middle = first(x + block.attn(block.ln1(x), False))
    assert torch.allclose(block(x, False), second(middle + block.mlp(block.ln2(middle))), atol=1e-6)
    assert not small_backbone.text.blocks[1].past_mlp


def test_depthwise_kernels_of_three_sizes():
    layer = mona.Mona(torch.zeros(1), 8, 4, (2, 3))
    assert [tuple(conv.weight.shape) for conv in layer.depthwise] == [(4, 1, 3, 3), (4, 1, 5, 5), (4, 1, 7, 7)]
    z = torch.randn(2, 4, 2, 3)
    y = z + (layer.depthwise[0](z) + layer.depthwise[1](z) + layer.depthwise[2](z)) / 3
    assert torch.allclose(layer.convolve(z), y + layer.mix(y), atol=1e-6)


def test_sizes_on_vit_b_16_and_the_image_tower_only():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    one = 2 * 768 * 64 + 64 + 768 + 64 * (9 + 25 + 49) + 3 * 64 + 64 * 64 + 64 + 4 * 768
    assert mona.Method().parameters(sizes) == 24 * one == 2_684_928
    with pytest.raises(UserError, match="method mona: towers"):
        make(mona, {"towers": "text"})
