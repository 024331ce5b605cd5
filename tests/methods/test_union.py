"""Unions: what a budget is spent on, names of parts, and refusals."""

from __future__ import annotations

import pytest
import torch

from harness.adaptation.budget import parse, solve
from harness.adaptation.method import limits_of, sizes, trainable
from harness.errors import UserError
from harness.model.weights import Source, random, shape
from methods import lora, prefix, union


@pytest.fixture(scope="module")
def vit():
    return shape(Source("ViT-B-16", image=(384, 128)))


def test_a_budget_keeps_the_proportions(vit):
    method = union.Method(parts=({"lora": {"rank": 10}}, {"prefix": {"length": 20}}))
    found = solve(method, vit, parse("5%"))
    first, second = found.method.members.values()
    rank, length = first.rank, second.length
    assert rank > 20
    assert abs(length - 2 * rank) <= 1
    assert 0.045 < found.share <= 0.05


def test_a_budget_spent_on_one_part(vit):
    method = union.Method(parts=({"lora": {"rank": 10}}, {"prefix": {"length": 20}}), spend="prefix")
    found = solve(method, vit, parse("5%"))
    first, second = found.method.members.values()
    assert first == lora.Method(rank=10)
    assert second.length > 20
    bigger = union.Method(parts=({"lora": {"rank": 10}}, {"prefix": {"length": second.length + 1}}))
    assert found.trained <= found.target < bigger.parameters(vit)
    assert found.method.spend == "prefix"
    assert solve(found.method, vit, parse(found.trained)).method == found.method


def test_the_rest_may_be_too_large_for_the_budget(vit):
    method = union.Method(parts=({"lora": {"rank": 64}}, "prefix"), spend="prefix")
    found = solve(method, vit, parse("0.1%"))
    assert found.reason == "smallest setting trains 3,962,880 parameters"
    assert found.trained == lora.Method(rank=64).parameters(vit) + prefix.Method(length=1).parameters(vit)


def test_limits_of_the_parts_hold(vit):
    method = union.Method(parts=("lora", "adaptformer"), spend="lora")
    assert (method.turns, sizes(method, vit), limits_of(method, vit)) == (
        ("lora.rank",),
        {"lora.rank": 4},
        {"lora.rank": 512},
    )
    assert "largest setting trains" in solve(method, vit, parse("40%")).reason


def test_two_parts_of_one_name(vit, small_backbone):
    parts = ({"lora": {"targets": ["q"]}}, {"lora": {"targets": ["fc1"]}})
    method = union.Method(parts=parts, spend="lora#2")
    assert list(method.members) == ["lora", "lora#2"]
    first, second = solve(method, vit, parse("1%")).method.members.values()
    assert (first.targets, first.rank) == (("q",), 4)
    assert second.targets == ("fc1",)
    assert second.rank > 4
    method.attach(small_backbone)
    counted = sum(p.numel() for p in trainable(small_backbone).values())
    assert counted == method.parameters(small_backbone.shape)


def test_parts_are_attached_in_order(small_backbone, small_inputs):
    torch.manual_seed(0)
    union.Method(parts=("prefix", "lora")).attach(small_backbone)
    other = random(small_backbone.shape, seed=0)
    torch.manual_seed(0)
    prefix.Method().attach(other)
    lora.Method().attach(other)
    assert torch.equal(small_backbone.image(small_inputs[0]), other.image(small_inputs[0]))
    assert union.Method(parts=("lora", "adaptformer")).identity
    assert not union.Method(parts=("lora", "prefix")).identity


def test_gates_see_where_another_part_moves_the_end_token(small_backbone, small_inputs):
    """In either order: CoOp cuts words of the longest caption, and the shares are those of what is left."""
    for parts in (("dm_adapter", "coop"), ("coop", "dm_adapter")):
        backbone = random(small_backbone.shape, seed=0)
        union.Method(parts=parts).attach(backbone)
        share = backbone.text.blocks[0].beside_mlp[0].router.mean
        backbone.text(small_inputs[1])
        assert [int((row > 0).sum()) for row in share(torch.zeros(3, 24, 64))] == [24, 24, 4 + 16 + 1]


def test_refusals():
    with pytest.raises(UserError, match="a part is one method; expected names, or"):
        union.Method(parts=({"lora": {}, "prefix": {}},))
    with pytest.raises(UserError, match=r"no part 'lorra'; expected all, lora, prefix; did you mean lora\?"):
        union.Method(parts=("lora", "prefix"), spend="lorra")
    with pytest.raises(UserError, match="'full' trains the backbone's own weights"):
        union.Method(parts=("lora", "full"))
    with pytest.raises(UserError, match="two parts insert tokens into one tower"):
        union.Method(parts=("maple", "coop"))
    assert union.Method(parts=("vpt", "coop")).inserts == ("image", "text")
    with pytest.raises(UserError, match=r"unknown method 'lorra'.*did you mean lora"):
        union.Method(parts=("lorra",))
