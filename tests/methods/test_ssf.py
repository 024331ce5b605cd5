"""SSF: counts, its start, and a whole block by hand."""

from __future__ import annotations

import torch
from torch import nn

from harness.adaptation.method import merge, trainable
from harness.adaptation.probe import BASE, attached, disturb, sizes_of, small
from methods import ssf


def test_count_on_vit_b16():
    assert ssf.Method().parameters(sizes_of(BASE)) == 337_920
    assert ssf.Method(towers="image", depth=-2).parameters(sizes_of(BASE)) == 2 * 2 * (7 * 768 + 3072)


def test_start_as_in_the_released_code():
    own = trainable(attached(ssf.Method()))
    scales = torch.cat([p.detach() for n, p in own.items() if n.endswith("scale")])
    shifts = torch.cat([p.detach() for n, p in own.items() if n.endswith("shift")])
    assert len(scales) == len(shifts) == 2 * 11 * (128 + 64)
    for values, mean in ((scales, 1.0), (shifts, 0.0)):
        assert abs(float(values.mean()) - mean) < 4 * 0.02 / len(values) ** 0.5
        assert abs(float(values.std()) / 0.02 - 1) < 0.05
    assert not ssf.Method().identity and ssf.Method(std=0.0).identity


def test_follows_every_operation_of_a_block():
    plain, block = small().image.blocks[0], disturb(attached(ssf.Method())).image.blocks[0]
    x = torch.randn(2, 5, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairs = [(block.ln1, plain.ln1), (block.ln2, plain.ln2)]
    pairs += [(getattr(block.attn, n), getattr(plain.attn, n)) for n in ("q", "k", "v", "out")]
    for ours, theirs in [*pairs, (block.mlp.fc1, plain.mlp.fc1)]:
        assert torch.equal(ours(x), ours.scale * theirs(x) + ours.shift)
    hidden = plain.mlp.act(block.mlp.fc1(x))
    wanted = block.mlp.fc2.scale * plain.mlp.fc2(hidden) + block.mlp.fc2.shift
    assert torch.allclose(block.mlp(x), wanted, atol=1e-14)


def test_folds_into_linears_and_layer_norms():
    backbone = disturb(attached(ssf.Method()))
    assert merge(backbone) == 2 * 2 * 8
    assert isinstance(backbone.text.blocks[0].ln1, nn.LayerNorm)
    assert [n for n, _ in backbone.named_parameters()] == [n for n, _ in small().named_parameters()]
