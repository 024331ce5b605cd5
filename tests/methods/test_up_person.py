"""UP-Person and its parts: every count that is published or follows from the released code."""

from __future__ import annotations

import pytest
import torch

from harness.adaptation.method import trainable
from harness.adaptation.probe import BASE, LARGE, attached, on_meta, sizes_of
from methods import l_adapter, prefix, s_prefix, union, up_person


def counted(method, sizes=BASE) -> int:
    closed = method.parameters(sizes_of(sizes))
    assert sum(p.numel() for p in trainable(on_meta(method, sizes_of(sizes))).values()) == closed
    return closed


@pytest.mark.parametrize(
    ("method", "count"),
    [
        (s_prefix.Method(length=10), 307_272),
        (s_prefix.Method(length=10, towers="image"), 184_356),
        (s_prefix.Method(length=10, towers="text"), 122_916),
        *[(prefix.Method(length=length), 30_720 * length) for length in (2, 4, 5, 8, 10, 14, 20, 30)],
        (l_adapter.Method(), 5_146_416),
        (l_adapter.Method(towers="image"), 3_559_704),
        (l_adapter.Method(towers="text"), 1_586_712),
        *[
            (l_adapter.Method(reduction=reduction), 48 + count)
            for reduction, count in ((2, 20_493_312), (4, 10_262_016), (16, 2_588_544), (32, 1_309_632))
        ],
        (up_person.Method(), 7_419_816),
        (up_person.Method(towers="image"), 4_923_732),
        (up_person.Method(towers="text"), 2_496_084),
        (up_person.Method(length=14), 7_542_696),
        (up_person.Method(rank=16, length=2), 6_191_016),
        (up_person.Method(rank=64, length=20), 9_693_096),
    ],
    ids=str,
)
def test_counts_on_vit_b16(method, count):
    assert counted(method) == count


def test_vit_l14():
    assert sizes_of(LARGE).parameters == 427_603_200
    assert counted(up_person.Method(), LARGE) == 21_199_356


def test_is_the_union_of_its_parts():
    parts = (
        {"s_prefix": {"length": 3, "scale": 10.0}},
        {"lora": {"rank": 2, "targets": ["k", "v"], "scaling": "learned"}},
        {"l_adapter": {"reduction": 8}},
    )
    one, other = attached(up_person.Method(rank=2, length=3)), attached(union.Method(parts=parts))
    first, second = trainable(one), trainable(other)
    assert list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def test_scales_start_as_published():
    own = trainable(attached(up_person.Method()))
    assert {float(p.detach()) for n, p in own.items() if n.endswith("prefix.0.scale")} == {10.0}
    assert {float(p.detach()) for n, p in own.items() if p.ndim == 0 and not n.endswith("prefix.0.scale")} == {1.0}
    tokens = torch.cat([p.detach().flatten() for n, p in own.items() if n.endswith((".keys", ".values"))])
    assert 0 <= float(tokens.min()) < 1e-4 and 0.0099 < float(tokens.max()) <= 0.01
