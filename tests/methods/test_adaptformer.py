"""AdaptFormer by hand, and the count of its width on ViT-B/16."""

from __future__ import annotations

import pytest
import torch

from harness.model.weights import Source, shape
from methods import adaptformer
from methods.adapter import Bottleneck


def test_by_hand():
    inner = Bottleneck(torch.zeros(1), 2, 1)
    with torch.no_grad():
        inner.down.weight.copy_(torch.tensor([[1.0, -1.0]]))
        inner.down.bias.fill_(0.5)
        inner.up.weight.copy_(torch.tensor([[2.0], [0.0]]))
        inner.up.bias.copy_(torch.tensor([0.0, 1.0]))
    out = adaptformer.Parallel(inner, 0.1)(torch.tensor([[[3.0, 1.0], [0.0, 1.0]]]), torch.full((1, 2, 2), 99.0))
    assert out.tolist() == [[pytest.approx([0.5, 0.1]), pytest.approx([0.0, 0.1])]]


def test_it_is_fed_by_the_stream_before_the_layer_norm(small_backbone):
    block = small_backbone.image.blocks[0]
    x = torch.randn(2, 9, 128)
    plain = block(x, False)
    adaptformer.Method(width=4, scale=0.5).attach(small_backbone)
    inner = block.beside_mlp[0].inner
    torch.nn.init.normal_(inner.up.weight)
    after_attention = x + block.attn(block.ln1(x), False)
    assert torch.allclose(block(x, False), plain + 0.5 * inner(after_attention), atol=1e-5)


def test_same_width_in_both_towers():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    assert adaptformer.Method().parameters(sizes) == 1_982_976
    small = adaptformer.Method(width=8).parameters(sizes)
    assert round(100 * small / (sizes.parameters + small), 2) == 0.17
