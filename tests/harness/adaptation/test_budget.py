"""Budgets: how they are read, and that solutions are the largest within them, whatever the method and the target."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from harness.adaptation.budget import Budget, parse, solve
from harness.adaptation.method import limits_of, make, options, sized
from harness.adaptation.probe import BASE, LARGE, SMALL, sizes_of
from harness.errors import UserError
from harness.registry import find, names
from methods import bitfit, dora, full, l_adapter, lora, prefix, union, up_person, vera

SINGLE = ("adapter", "dora", "fact", "l_adapter", "lora", "pissa", "prefix", "s_prefix", "vera")


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1%", Budget("1%", share=0.01)),
        (" 4.7 % ", Budget("4.7 %", share=0.047)),
        ("1% of backbone", Budget("1% of backbone", share=0.01, of_backbone=True)),
        ("2M", Budget("2M", count=2_000_000)),
        ("1.5M", Budget("1.5M", count=1_500_000)),
        ("0.0015 M", Budget("0.0015 M", count=1500)),
        ("300k", Budget("300k", count=300_000)),
        ("1,966,128", Budget("1,966,128", count=1_966_128)),
        ("1_966_128", Budget("1_966_128", count=1_966_128)),
        (1966128, Budget("1966128", count=1_966_128)),
    ],
)
def test_parse(text, budget):
    assert parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "0%", "100%", "-1%", "1.2.3%", "0", "4.7", "2,5M", "1e6", "2 million", "0.4k%", "%"]
)
def test_what_is_no_budget_is_refused_with_what_would_be_one(text):
    with pytest.raises(UserError, match=r"study.yaml:3: cannot read budget .*; expected a share like 4.7% or a count"):
        parse(text, "study.yaml:3")


def test_target_by_hand():
    shape, whole = sizes_of(BASE), 149_617_664
    assert shape.parameters == whole
    # trained / (backbone + trained) = 1 %, so trained is a 99th of the backbone; where nothing is added, a hundredth.
    assert parse("1%").target(shape) == whole // 99
    assert parse("1%").target(shape, adds=False) == whole // 100
    assert parse("1% of backbone").target(shape) == whole // 100
    assert parse("2M").target(shape) == 2_000_000


def test_up_person_at_its_own_share_is_itself():
    method = up_person.Method()
    found = solve(method, sizes_of(BASE), parse("7419816"))
    assert (found.trained, found.total, found.reason) == (7_419_816, 157_037_480, None)
    assert f"{found.share:.3%}" == "4.725%"
    assert (found.method.rank, found.method.length, found.method.width) == (32, 10, 96)


def test_solution_is_the_largest_by_trying_every_rank():
    shape, counts = sizes_of(BASE), {rank: lora.Method(rank=rank).parameters(sizes_of(BASE)) for rank in range(1, 513)}
    for text in ("0.1%", "1%", "1% of backbone", "2M", "12%"):
        found = solve(lora.Method(), shape, parse(text))
        assert found.method.rank == max(rank for rank, count in counts.items() if count <= found.target)


@pytest.mark.parametrize("name", SINGLE)
def test_random_targets(name):
    """Within the target, never less for more, again the same, and one more of the option would be too much."""
    method, shape, generator = find("methods", name).Method(), sizes_of(BASE), np.random.default_rng(0)
    before = 0
    for count in np.sort(10 ** generator.uniform(3, 8, 40)).astype(int):
        found = solve(method, shape, parse(int(count)))
        assert found.target == count and found.trained == found.method.parameters(shape) >= before
        before = found.trained
        if found.reason is None:
            assert found.trained <= count
            assert solve(found.method, shape, parse(int(count))).method == found.method
            again = solve(method, shape, parse(found.trained))
            uneven = getattr(found.method, "more", ())
            assert again.method == found.method or (uneven and 0.98 * found.trained <= again.trained <= found.trained)
        (option,) = method.turns
        size = getattr(found.method, option)
        if found.reason is None and limits_of(method, shape).get(option) != size:
            assert replace(found.method, **{option: size + 1}).parameters(shape) > count


@pytest.mark.parametrize("sizes", [SMALL, sizes_of(LARGE)], ids=["small", "large"])
@pytest.mark.parametrize("name", [n for n in names("methods") if n != "union" and find("methods", n).Method.turns])
def test_every_method_on_other_backbones(name, sizes):
    method, before = make(find("methods", name), {"depth": 2} if name == "maple" else {}), 0
    for share in ("0.3%", "1%", "3%", "10%", "30%"):
        found = solve(method, sizes, parse(share))
        assert found.trained >= before
        before = found.trained
        assert found.reason or found.share <= parse(share).share


def test_union_keeps_proportions():
    method = union.Method(parts=({"lora": {"rank": 8}}, {"s_prefix": {"length": 16}}))
    for text in ("0.5%", "1%", "3%"):
        (low, long) = solve(method, sizes_of(BASE), parse(text)).method.parts
        assert abs(long["s_prefix"]["length"] - 2 * low["lora"]["rank"]) <= 1


def test_too_small_gives_the_smallest_and_says_so():
    found = solve(lora.Method(), sizes_of(BASE), parse("1000"))
    assert found.method.rank == 1 and found.trained == 61_440
    assert found.reason == "smallest setting trains 61,440 parameters"


def test_far_too_large_gives_the_largest_and_says_so():
    found = solve(vera.Method(), sizes_of(BASE), parse("1%"))
    assert found.method.rank == 1024 and found.trained == 24 * 2 * 1024 + 30_720
    assert found.reason == f"largest setting trains {found.trained:,} parameters"
    # Up to a tenth below the target it counts as met.
    nearly = parse(int(found.trained * 1.05))
    assert solve(vera.Method(), sizes_of(BASE), nearly).reason is None


def test_fixed_size_keeps_its_setting_and_says_so():
    for method, count in ((bitfit.Method(), 171_008), (full.Method(), 149_617_664)):
        found = solve(method, sizes_of(BASE), parse("1%"))
        assert found.method == method and found.trained == count
        assert found.reason == f"{count:,} trained parameters are fixed"
        assert found.total == 149_617_664


def test_no_budget_is_the_method_as_it_is():
    found = solve(dora.Method(rank=32, targets=("k", "v")), sizes_of(BASE), None)
    assert (found.trained, found.total, found.target) == (1_996_800, 151_614_464, None)
    assert prefix.Method().parameters(sizes_of(BASE)) == solve(prefix.Method(), sizes_of(BASE), None).trained


def test_options_that_are_derived_are_written_out():
    found = solve(l_adapter.Method(), sizes_of(BASE), parse("1%"))
    assert isinstance(found.method.width, int)


@options
class Restless:
    """Its option grows for ever, its parameters do not."""

    size: int = 1
    turns: ClassVar[tuple[str, ...]] = ("size",)
    adds: ClassVar[bool] = True

    def resized(self, shape, factor) -> Restless:
        return replace(self, size=max(1, round(self.size * factor)))

    def parameters(self, shape) -> int:
        return 5


def test_an_option_without_effect_ends_the_search():
    assert sized(Restless(), SMALL, 3.0).size == 3
    assert solve(Restless(), SMALL, parse("1k")).trained == 5
