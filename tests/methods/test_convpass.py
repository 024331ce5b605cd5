"""Convolutions over patches: the grid's orientation, the class token, and Convpass by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.adaptation.method import make
from harness.errors import UserError
from harness.model.weights import Source, shape
from methods import convpass


def tokens(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[None, :, None]


def kernel(**taps: float) -> nn.Conv2d:
    """A 3x3 convolution of one channel with the named taps; `m` is the centre."""
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    places = {"up": (0, 1), "left": (1, 0), "m": (1, 1), "right": (1, 2), "down": (2, 1)}
    with torch.no_grad():
        conv.weight.zero_()
        for name, value in taps.items():
            conv.weight[(0, 0, *places[name])] = value
    return conv


def test_patches_are_convolved_row_by_row_and_other_tokens_alone():
    x = tokens(9, 1, 2, 3, 4, 5, 6, 7)  # class, two rows of three patches, a prompt
    left = convpass.on_grid(x, (2, 3), kernel(left=1.0))
    assert left.flatten().tolist() == [0, 0, 1, 2, 0, 4, 5, 0]
    up = convpass.on_grid(x, (2, 3), kernel(up=1.0, m=10.0))
    assert up.flatten().tolist() == [90, 10, 20, 30, 41, 52, 63, 70]


def test_each_sample_keeps_its_own_tokens():
    x = torch.cat([tokens(9, 1, 2, 3, 4, 5, 6), tokens(-9, -1, -2, -3, -4, -5, -6)])
    out = convpass.on_grid(x, (2, 3), kernel(left=1.0, m=1.0))
    assert torch.equal(out[0], -out[1])
    assert out[0].flatten().tolist() == [9, 1, 3, 5, 4, 9, 11]


def test_by_hand():
    layer = convpass.Bypass(torch.zeros(1), 1, 1, (1, 2), 0.1)
    with torch.no_grad():
        layer.down.weight.fill_(1.0)
        layer.conv.weight.copy_(kernel(right=2.0, m=1.0).weight)
        layer.up.weight.fill_(3.0)
        layer.up.bias.fill_(0.5)

    def act(value: float) -> float:
        return value / (1 + 2.718281828459045 ** (-1.702 * value))

    out = layer(tokens(99, 99, 99), tokens(1, 2, 3)).flatten().tolist()
    expected = [act(act(1)), act(act(2) + 2 * act(3)), act(act(3))]
    assert out == pytest.approx([0.1 * (3 * value + 0.5) for value in expected], rel=1e-5)


def test_the_convolution_starts_as_the_identity():
    layer = convpass.Bypass(torch.zeros(1), 16, 4, (2, 3), 1.0)
    z = torch.randn(2, 4, 2, 3)
    assert torch.equal(layer.conv(z), z)


def test_sizes_on_vit_b_16_and_the_image_tower_only():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    assert convpass.Method().parameters(sizes) == 24 * (2 * 768 * 8 + 8 + 768 + 9 * 64 + 8) == 327_552
    with pytest.raises(UserError, match="method convpass: towers"):
        make(convpass, {"towers": "both"})
