"""MaPLe: the text's prompts feed the image tower."""

from __future__ import annotations

from dataclasses import replace

import torch

from harness.adaptation.budget import parse, solve
from harness.adaptation.method import trainable
from harness.model.weights import Source, random, shape
from methods import maple


def test_image_prompts_are_the_mapped_text_prompts(small_backbone, small_inputs):
    images, ids = small_inputs
    maple.Method(length=2, depth=2).attach(small_backbone)
    image, text = small_backbone.towers
    streams = {"image": [], "text": []}
    for tower in (image, text):
        for block in tower.blocks:
            block.ln1.register_forward_pre_hook(lambda _, given, name=tower.name: streams[name].append(given[0]))
    image(images), text(ids)
    own = text.blocks[1].tokens[0].parts[0].tokens
    coupled = image.blocks[1].tokens[0].parts[0]
    assert torch.equal(streams["text"][1][0, 1:3], own)
    assert torch.allclose(streams["image"][1][0, 9:], own @ coupled.map.weight.T + coupled.map.bias, atol=1e-6)
    assert [s.shape[1] for s in streams["image"]] == [11, 11]
    first, coupled = text.inputs[0].prompts.parts[0].tokens, image.inputs[0].parts[0]
    assert torch.allclose(streams["text"][0][0, 1:3], first + text.position[1:3], atol=1e-6)
    mapped = first @ coupled.map.weight.T + coupled.map.bias
    assert torch.allclose(streams["image"][0][0, 9:], image.ln_first(mapped), atol=1e-5)


def test_text_prompts_that_are_words_equal_the_caption_with_these_words(small_backbone):
    tower = small_backbone.text
    ids = torch.zeros(1, 24, dtype=torch.int64)
    ids[0, :4] = torch.tensor([78, 11, 12, 79])
    longer = torch.cat([ids[:, :1], torch.tensor([[5, 6]]), ids[:, 1:22]], dim=1)
    expected = tower(longer)
    maple.Method(length=2, depth=1).attach(small_backbone)
    with torch.no_grad():
        tower.inputs[0].prompts.parts[0].tokens.copy_(tower.embedding.weight[[5, 6]])
        assert torch.allclose(tower(ids), expected, atol=1e-6)


def test_shared_prompts_are_one_parameter_that_both_towers_train(small_backbone, small_inputs):
    method = maple.Method(length=2, depth=2)
    method.attach(small_backbone)
    own = trainable(small_backbone)
    assert len({id(p) for p in own.values()}) == len(own) == 2 * 3
    assert sum(p.numel() for p in own.values()) == method.parameters(small_backbone.shape)
    small_backbone.image(small_inputs[0]).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in own.values())


def test_towers_of_unequal_depth_are_coupled_as_far_as_both_go(small_backbone):
    sizes = replace(small_backbone.shape, image=replace(small_backbone.shape.image, layers=4))
    assert maple.pairs(None, sizes) == [(0, 0), (1, 1)]
    assert maple.pairs(-1, sizes) == [(3, 1)]
    method = maple.Method(depth=-1)
    backbone = random(sizes)
    method.attach(backbone)
    assert len(backbone.image.blocks[3].tokens) == len(backbone.text.blocks[1].tokens) == 1
    assert sum(p.numel() for p in trainable(backbone).values()) == method.parameters(sizes)


def test_sizes_on_vit_b_16():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    trained = maple.Method().parameters(sizes)
    assert trained == maple.Method(depth=9).parameters(sizes) == 9 * (2 * 512 + 512 * 768 + 768) == 3_555_072
    assert round(100 * trained / (sizes.parameters + trained), 1) == 2.3


def test_a_budget_scales_prompts_and_depth():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    found = solve(maple.Method(), sizes, parse("1%")).method
    assert (found.length, found.depth) == (1, 3)
    kept = solve(maple.Method(depth=(4, 5, 6)), sizes, parse("0.6%")).method
    assert kept.depth == (4, 5)
    assert "largest setting" in solve(maple.Method(), sizes, parse("10%")).reason
