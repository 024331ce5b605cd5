"""CLIP-Adapter by hand, and its place behind the projection."""

from __future__ import annotations

import pytest
import torch

from harness.model.weights import Source, shape
from methods import clip_adapter


def test_by_hand():
    layer = clip_adapter.Mixed(torch.zeros(1), 2, 1, 0.2)
    with torch.no_grad():
        layer.down.weight.copy_(torch.tensor([[1.0, 1.0]]))
        layer.up.weight.copy_(torch.tensor([[2.0], [-3.0]]))
    # A([3, -1]) = relu([2, -3] * 2) = [4, 0]; A([-3, 1]) = 0
    out = layer(torch.tensor([[3.0, -1.0], [-3.0, 1.0]]))
    assert out[0].tolist() == pytest.approx([0.8 + 2.4, -0.8])
    assert out[1].tolist() == pytest.approx([-2.4, 0.8])


def test_it_acts_on_the_projected_feature(small_backbone, small_inputs):
    images, ids = small_inputs
    features = small_backbone.image(images), small_backbone.text(ids)
    clip_adapter.Method(towers="image").attach(small_backbone)
    assert torch.equal(small_backbone.image(images), small_backbone.image.head[0](features[0]))
    assert torch.equal(small_backbone.text(ids), features[1])


def test_sizes_on_vit_b_16():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    assert clip_adapter.Method(towers="image").parameters(sizes) == 131_072
    assert clip_adapter.Method().parameters(sizes) == 2 * 131_072
