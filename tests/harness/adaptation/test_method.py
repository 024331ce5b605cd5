"""Options and their faults, choosing blocks, saving and restoring what was trained, folding."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from harness import registry
from harness.adaptation.method import (
    Method,
    defaults,
    extra_loss,
    layers,
    limits_of,
    make,
    merge,
    restore,
    scaled_width,
    sized,
    sizes,
    state,
    trainable,
    written_out,
)
from harness.adaptation.probe import BASE, SMALL, attached, difference, disturb, outputs, sizes_of, small
from harness.errors import UserError
from methods import dora, full, ia3, l_adapter, lora, pissa, prefix, ssf, union, up_person


def test_options_are_values():
    method = make(lora, {"targets": ["k", "v"], "rank": 3})
    assert method == lora.Method(rank=3, targets=("k", "v")) and hash(method) == hash(
        lora.Method(3, targets=("k", "v"))
    )
    assert isinstance(method, Method)
    assert written_out(method) == {
        "rank": 3,
        "alpha": 8.0,
        "targets": ["k", "v"],
        "scaling": "alpha",
        "towers": "both",
        "depth": None,
    }
    assert make(lora, json.loads(json.dumps(written_out(method)))) == method
    assert defaults(lora.Method)["targets"] == ("q", "v") and "parts" not in defaults(union.Method)
    with pytest.raises(AttributeError):
        method.rank = 4


def test_every_fault_of_the_options_is_named_with_the_nearest_known_name():
    given = {"rnak": 3, "alpha": -1.0, "targets": ["key"], "towers": "all", "rank": 2.0}
    with pytest.raises(UserError) as caught:
        make(lora, given, "study.yaml:7")
    text = str(caught.value)
    assert text.startswith("study.yaml:7: method lora: ")
    assert "unknown option 'rnak' (did you mean rank?)" in text
    for key, value in (("alpha", "-1.0"), ("targets", "'key'"), ("towers", "'all'"), ("rank", "2.0")):
        assert f"{key}" in text and f"got {value}" in text
    assert text.endswith("expected options rank, alpha, targets, scaling, towers, depth, more")
    assert "\n" not in text


def test_layers():
    assert layers(None, 3) == (0, 1, 2)
    assert layers(2, 3) == (0, 1) and layers(-2, 3) == (1, 2) and layers((0, 2), 3) == (0, 2)
    for depth in (4, -4, (3,), (-1,)):
        with pytest.raises(UserError, match="at most 3 blocks"):
            layers(depth, 3)


def test_scaled_width():
    assert [scaled_width(96, tower, sizes_of(BASE)) for tower in sizes_of(BASE).towers] == [96, 64]
    assert scaled_width(1, SMALL.text, SMALL) == 1


def test_sized_keeps_within_limits():
    method = up_person.Method()
    assert sizes(method, sizes_of(BASE)) == {"rank": 32, "length": 10, "width": 96}
    assert limits_of(method, sizes_of(BASE)) == {"rank": 512, "width": 768}
    large = sized(method, sizes_of(BASE), 1000)
    assert (large.rank, large.length, large.width) == (512, 10_000, 768)
    tiny = sized(method, sizes_of(BASE), 0.0)
    assert (tiny.rank, tiny.length, tiny.width) == (1, 1, 1)
    assert sizes(l_adapter.Method(), SMALL) == {"width": 16}
    assert limits_of(prefix.Method(), SMALL) == {}


def test_state_is_a_copy_of_what_was_trained():
    backbone = attached(lora.Method(rank=2))
    saved = state(backbone)
    assert set(saved) == set(trainable(backbone)) and len(saved) == 16
    before = {name: value.clone() for name, value in saved.items()}
    disturb(backbone)
    assert all(torch.equal(saved[name], before[name]) for name in saved)


def test_what_does_not_fit_is_refused_whole():
    backbone = attached(lora.Method(rank=2))
    before, saved = state(backbone), state(disturb(attached(lora.Method(rank=3))))
    saved["extra"] = saved.pop("text.blocks.0.attn.q.b")
    with pytest.raises(UserError, match=r"missing text.blocks.0.attn.q.b; unexpected extra; .*\(17 in all\)"):
        restore(backbone, saved)
    assert all(torch.equal(value, before[name]) for name, value in state(backbone).items())


@pytest.mark.parametrize(
    "methods",
    [
        (lora.Method(), dora.Method(targets=("q", "fc2"))),
        (ia3.Method(), lora.Method(targets=("k", "fc2")), ssf.Method()),
        (ssf.Method(), ssf.Method(depth=1)),
        (pissa.Method(), pissa.Method(), ia3.Method(depth=-1)),
    ],
    ids=["lora dora", "ia3 lora ssf", "ssf twice", "pissa twice ia3"],
)
def test_merge_folds_wrappers_of_wrappers_into_one_plain_layer(methods):
    backbone = small()
    for method in methods:
        method.attach(backbone)
    before = outputs(disturb(backbone))
    folded = merge(backbone)
    assert difference(before, outputs(backbone)) < 1e-12
    plain = small()
    assert [name for name, _ in backbone.named_modules()] == [name for name, _ in plain.named_modules()]
    assert not trainable(backbone)
    changed = [n for n, p in backbone.named_parameters() if not torch.equal(p, plain.get_parameter(n))]
    assert folded == len({name.rpartition(".")[0] for name in changed})


def test_merge_leaves_other_modules_alone():
    backbone = disturb(attached(union.Method(parts=("lora", "l_adapter"))))
    before = outputs(backbone)
    assert merge(backbone) == 8
    assert difference(before, outputs(backbone)) < 1e-12
    assert all(".beside_ln" in name for name in trainable(backbone))


def test_merge_without_anything_to_fold():
    assert merge(attached(full.Method())) == 0


def test_extra_loss_is_the_sum_over_modules():
    class Extra(nn.Module):
        def __init__(self, value: float | None) -> None:
            super().__init__()
            self.value = value

        def extra_loss(self) -> torch.Tensor | None:
            return None if self.value is None else torch.tensor(self.value)

    assert extra_loss(nn.Sequential(nn.Linear(1, 1), Extra(None))) is None
    assert float(extra_loss(nn.Sequential(Extra(1.5), Extra(None), nn.Sequential(Extra(2.0))))) == 3.5


def test_many_faults_are_told_shortly():
    with pytest.raises(UserError) as caught:
        make(registry.find("methods", "union"), {"parts": [1] * 3000, "x" * 3000: "y" * 3000})
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("depth", [0, ()])
def test_a_depth_of_no_block_is_refused(depth):
    with pytest.raises(UserError, match=r"names no block; expected 1 to 4 blocks"):
        layers(depth, 4)


@pytest.mark.parametrize(("name", "option"), [("lora", "targets"), ("adapter", "sites"), ("union", "parts")])
def test_places_are_named(name, option):
    with pytest.raises(UserError, match=f"method {name}: {option}: tuple should have at least 1 item"):
        make(registry.find("methods", name), {option: []})
