"""(IA)3: counts and the block's formula by hand. Equality with `peft` is in test_peft.py."""

from __future__ import annotations

import torch

from harness.adaptation.probe import BASE, attached, disturb, sizes_of, small
from methods import ia3


def test_count_on_vit_b16():
    assert ia3.Method().parameters(sizes_of(BASE)) == 92_160
    assert ia3.Method(sites=("mlp",), towers="text", depth=2).parameters(sizes_of(BASE)) == 2 * 2048


def test_scales_keys_values_and_hidden_units():
    plain, block = small().image.blocks[0], disturb(attached(ia3.Method())).image.blocks[0]
    x = torch.randn(2, 5, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for name in ("k", "v"):
        wanted = getattr(block.attn, name).scale * getattr(plain.attn, name)(x)
        assert torch.equal(getattr(block.attn, name)(x), wanted)
    hidden = plain.mlp.act(plain.mlp.fc1(x))
    assert torch.allclose(block.mlp(x), plain.mlp.fc2(block.mlp.fc2.scale * hidden), atol=1e-14)
    assert torch.equal(block.attn.q(x), plain.attn.q(x))
