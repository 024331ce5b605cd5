"""Prompts in the sequence: where they stand, what is replaced, and where the feature is read."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from harness.model.weights import Source, random, shape
from methods import vpt


@pytest.fixture
def small_shape_of_three(small_backbone):
    """The small backbone's shape with three text blocks."""
    sizes = small_backbone.shape
    return replace(sizes, text=replace(sizes.text, layers=3))


def seen(tower, call) -> list[torch.Tensor]:
    """Streams that enter the attention's LayerNorm of each block."""
    found = []
    hooks = [b.ln1.register_forward_pre_hook(lambda _, given: found.append(given[0].detach())) for b in tower.blocks]
    with torch.no_grad():
        call()
    for hook in hooks:
        hook.remove()
    return found


def test_deep_prompts_replace_those_of_the_block_before(small_backbone, small_inputs):
    vpt.Method(length=3).attach(small_backbone)
    tower, images = small_backbone.image, small_inputs[0]
    streams = seen(tower, lambda: tower(images))
    assert [s.shape[1] for s in streams] == [12, 12]
    for block, stream in zip(tower.blocks, streams, strict=True):
        assert torch.equal(stream[1, 9:], block.tokens[0].parts[0].tokens)


def test_shallow_prompts_flow_on(small_backbone, small_inputs):
    vpt.Method(length=3, deep=False).attach(small_backbone)
    tower, images = small_backbone.image, small_inputs[0]
    first, second = seen(tower, lambda: tower(images))
    assert torch.equal(first[1, 9:], tower.blocks[0].tokens[0].parts[0].tokens)
    assert second.shape[1] == 12
    assert not tower.blocks[1].tokens
    assert not torch.equal(second[0, 9:], second[1, 9:])


def test_the_class_token_is_read_and_the_order_of_prompts_is_irrelevant(small_backbone, small_inputs):
    vpt.Method(length=2).attach(small_backbone)
    tower, images = small_backbone.image, small_inputs[0]
    with torch.no_grad():
        expected = tower(images)
        for block in tower.blocks:
            block.tokens[0].parts[0].tokens.copy_(block.tokens[0].parts[0].tokens.flip(0))
        flipped = tower(images)
        x = torch.cat([tower.class_token.expand(3, 1, -1), tower.conv(images).flatten(2).transpose(1, 2)], dim=1)
        x = tower.ln_first(x + tower.position)
        for block in tower.blocks:
            prompts = block.tokens.pop(0).parts[0].tokens.expand(3, -1, -1)
            x = block(torch.cat([x[:, :1], prompts, x[:, -8:]], dim=1), False)  # as the paper has it
        by_hand = tower.proj(tower.ln_final(x[:, 0]))
    assert torch.allclose(expected, flipped, atol=1e-5)
    assert torch.allclose(expected, by_hand, atol=1e-5)


@pytest.mark.parametrize("depth", [None, -1])
def test_text_prompts_are_seen_by_words_and_not_by_the_start(small_shape_of_three, depth):
    backbone = random(small_shape_of_three, seed=0)
    tower = backbone.text
    ids = torch.tensor([[78, 5, 6, 79, 0, 0]])
    before = seen(tower, lambda: tower(ids))
    plain = tower(ids)
    vpt.Method(length=2, towers="text", depth=depth).attach(backbone)
    streams = seen(tower, lambda: tower(ids))
    first = 0 if depth is None else 2
    assert [s.shape[1] for s in streams] == [6] * first + [8] * (3 - first)
    for old, new in zip(before, streams, strict=True):
        assert torch.allclose(old[:, 0], new[:, 0], atol=1e-5)  # the start token sees itself only
    assert torch.equal(streams[first][0, 3:], before[first][0, 1:])
    with torch.no_grad():
        entering = streams[-1] if depth is None else streams[-1][:, [0, *range(3, 8)]]
        last = tower.blocks[-1](entering, True)  # puts the last block's prompts in
        assert torch.allclose(tower(ids), tower.pool(last[:, 2 + 3]), atol=1e-5)
    assert (tower(ids) - plain).abs().max() > 1e-3


def test_first_prompts_enter_at_the_first_chosen_block(small_shape_of_three):
    backbone = random(small_shape_of_three, seed=0)
    vpt.Method(length=2, towers="text", depth=(2, 1)).attach(backbone)
    assert [[site.replaced for site in block.tokens] for block in backbone.text.blocks] == [[], [0], [2]]


def test_start_is_the_papers(small_backbone):
    vpt.Method(length=200).attach(small_backbone)
    bound = math.sqrt(6 / (3 * 16**2 + 128))
    tokens = small_backbone.image.blocks[0].tokens[0].parts[0].tokens
    assert 0.99 * bound < tokens.abs().max() <= bound


def test_sizes_on_vit_b_16():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    assert vpt.Method(towers="both").parameters(sizes) == 153_600
    assert vpt.Method().parameters(sizes) == 12 * 10 * 768
    assert vpt.Method(deep=False).parameters(sizes) == 10 * 768
