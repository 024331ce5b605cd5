"""MAM is a vanilla prefix and a scaled adapter parallel to the MLP."""

from __future__ import annotations

import torch

from harness.adaptation.budget import parse, solve
from harness.model.weights import Source, random, shape
from methods import adapter, mam, prefix


def test_it_is_the_sum_of_its_parts(small_backbone, small_inputs):
    images, ids = small_inputs
    torch.manual_seed(3)
    mam.Method(length=4, width=8).attach(small_backbone)
    other = random(small_backbone.shape, seed=0)
    torch.manual_seed(3)
    prefix.Method(length=4).attach(other)
    adapter.Method(width=8, form="parallel", sites=("mlp",), scale=4.0).attach(other)
    for backbone in (small_backbone, other):
        for tower in backbone.towers:
            for block in tower.blocks:
                torch.nn.init.ones_(block.beside_mlp[0].inner.up.weight)
    assert torch.equal(small_backbone.image(images), other.image(images))
    assert torch.equal(small_backbone.text(ids), other.text(ids))
    block, x = small_backbone.text.blocks[0], torch.randn(1, 3, 64)
    site = block.beside_mlp[0]
    assert torch.equal(site(x, block.ln2(x)), 4.0 * site.inner(block.ln2(x)))


def test_a_budget_keeps_proportions():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    found = solve(mam.Method(), sizes, parse("4.7%")).method
    assert abs(found.length / 30 - found.width / 512) < 0.5 / 30
    assert mam.Method().parameters(sizes) == 12 * (
        60 * 768 + 2 * 768 * 512 + 512 + 768 + 60 * 512 + 2 * 512 * 341 + 341 + 512
    )
