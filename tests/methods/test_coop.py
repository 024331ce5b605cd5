"""CoOp: prompts that are words equal the caption with these words; too long captions keep their end token."""

from __future__ import annotations

import pytest
import torch

from harness.errors import UserError
from harness.model.weights import Source, shape
from methods import coop
from methods._tokens import Context, Own, Prompts


def context(limit: int) -> Context:
    own = Own(torch.zeros(1), 2, 1)
    with torch.no_grad():
        own.tokens.copy_(torch.tensor([[1.0], [2.0]]))
    return Context(Prompts([own], text=True), limit)


def test_by_hand():
    x, end = torch.tensor([[10.0, 11, 12, 13], [20, 23, 0, 0]])[..., None], torch.tensor([3, 1])
    grown, moved = context(8)(x, end)
    assert grown[..., 0].tolist() == [[10, 1, 2, 11, 12, 13], [20, 1, 2, 23, 0, 0]]
    assert moved.tolist() == [5, 3]


def test_words_are_cut_and_the_end_token_is_kept():
    x, end = torch.tensor([[10.0, 11, 12, 13], [20, 23, 0, 0]])[..., None], torch.tensor([3, 1])
    grown, moved = context(5)(x, end)
    assert grown[..., 0].tolist() == [[10, 1, 2, 11, 13], [20, 1, 2, 23, 0]]
    assert moved.tolist() == [4, 3]


def test_vectors_that_are_words_equal_the_caption_with_these_words(small_backbone):
    tower = small_backbone.text
    ids = torch.zeros(2, 24, dtype=torch.int64)
    ids[0, :4], ids[1, :7] = torch.tensor([78, 11, 12, 79]), torch.tensor([78, 21, 22, 23, 24, 25, 79])
    longer = torch.cat([ids[:, :1], torch.tensor([[5, 6, 7]]).expand(2, -1), ids[:, 1:21]], dim=1)
    expected = tower(longer)
    coop.Method(length=3).attach(small_backbone)
    with torch.no_grad():
        tower.inputs[0].prompts.parts[0].tokens.copy_(tower.embedding.weight[[5, 6, 7]])
        assert torch.allclose(tower(ids), expected, atol=1e-6)
        assert torch.allclose(tower(ids[:, :7]), expected, atol=1e-6)


def test_a_caption_as_long_as_the_context(small_backbone):
    tower = small_backbone.text
    ids = torch.randint(1, 77, (1, 24), generator=torch.Generator().manual_seed(0))
    ids[0, 0], ids[0, -1] = 78, 79
    shorter = torch.cat([ids[:, :1], torch.tensor([[5, 6, 7]]), ids[:, 1:20], ids[:, -1:]], dim=1)
    expected = tower(shorter)
    coop.Method(length=3).attach(small_backbone)
    with torch.no_grad():
        tower.inputs[0].prompts.parts[0].tokens.copy_(tower.embedding.weight[[5, 6, 7]])
        assert torch.allclose(tower(ids), expected, atol=1e-6)


def test_too_many_vectors_are_refused(small_backbone):
    with pytest.raises(UserError, match="22 prompts do not fit into a context of 24 tokens; expected at most 21"):
        coop.Method(length=22).attach(small_backbone)


def test_sizes_on_vit_b_16():
    assert coop.Method().parameters(shape(Source("ViT-B-16", image=(384, 128)))) == 8_192
