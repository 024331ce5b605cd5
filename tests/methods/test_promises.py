"""The promises of `harness/adaptation/promises.py`, asked of every file in `methods/`, and faults that each finds."""

from __future__ import annotations

import dataclasses
import itertools
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from harness import registry
from harness.adaptation import promises, starts
from harness.adaptation.method import options
from harness.adaptation.probe import SMALL, Broken, Case
from methods import lora

# Options for methods that need them, and further settings worth the whole suite.
EXTRA: dict[str, list[dict[str, Any]]] = {
    "union": [{"parts": ["lora", "s_prefix", "l_adapter", "ssf"]}, {"parts": ["ia3", {"dora": {"rank": 2}}, "fact"]}],
    "lora": [{}, {"rank": 3, "scaling": "learned", "targets": ["q", "k", "v", "out", "fc1", "fc2"]}],
    "fact": [{}, {"form": "tk", "rank": 8}, {"targets": ["q", "v"]}],
    "dora": [{}, {"scaling": "learned", "targets": ["k", "fc1", "fc2"]}],
    "vera": [{}, {"targets": ["k", "fc1", "fc2"], "rank": 8}],
    "pissa": [{}, {"targets": ["k", "fc1", "fc2"]}],
    "ssf": [{}, {"std": 0.0}],
    "ia3": [{}, {"sites": ["mlp"]}],
    "adapter": [{}, {"form": "parallel", "sites": ["mlp"]}],
}


def cases() -> list:
    found = []
    for name in registry.names("methods"):
        for index, given in enumerate(EXTRA.get(name, [{}])):
            found.append(pytest.param(name, given, id=f"{name}-{index}" if index else name))
    return found


@pytest.mark.parametrize("promise", promises.PROMISES)
@pytest.mark.parametrize(("name", "given"), cases())
def test_promise(name, given, promise):
    promises.PROMISES[promise](Case(name, registry.find("methods", name), given))


def test_every_extra_case_names_a_method():
    assert set(EXTRA) <= set(registry.names("methods"))


def test_small_backbone_is_the_one_of_the_tests(small_backbone):
    assert small_backbone.shape == SMALL


# Each promise finds its fault ----------------------------------------------------------------------------------------


def planted(name: str, layer: type[lora.LowRank] = lora.LowRank, **attributes: Any) -> Case:
    """LoRA with a fault in its layer or in the class."""

    def attach(self, backbone) -> None:
        lora.wrap(backbone, self.towers, self.depth, self.targets, lambda frozen: layer(frozen, self.rank, 1.0))

    module = ModuleType(name, "LoRA with a fault.")
    module.Method = options(type("Method", (lora.Method,), {"attach": attach, "__module__": __name__, **attributes}))
    return Case(name, module)


class Unsteady(lora.LowRank):
    """Starts from the clock instead of torch's seed."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        with torch.no_grad():
            self.a.uniform_(generator=torch.Generator().manual_seed(torch.Generator().seed()))


class Wide(lora.LowRank):
    """A starts 2.4 times as wide."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.a.data *= 2.4


class Bell(lora.LowRank):
    """A starts as wide as declared, but normal."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        nn.init.normal_(self.a, std=(3 * self.a.shape[1]) ** -0.5)


class Uneven(lora.LowRank):
    """B starts from other values than zero."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.b.data[0] = 1e-3


def cut(self, backbone) -> None:
    """A starts from a normal distribution without tails, of the declared width."""
    lora.Method.attach(self, backbone)
    for name, tensor in backbone.named_parameters():
        if name.endswith(".a"):
            nn.init.trunc_normal_(tensor, std=0.02, a=-0.05, b=0.05)


def drawn_again(self, backbone) -> None:
    """Trains a bias of the backbone, from other values than the backbone's."""
    backbone.image.blocks[0].attn.out.bias = nn.Parameter(torch.zeros_like(backbone.image.blocks[0].attn.out.bias))


class Idle(lora.LowRank):
    def forward(self, x):
        return self.frozen(x) + 0.0 * self.low(x)


class Counting(lora.LowRank):
    """Keeps a count of its forward passes in a buffer."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.register_buffer("count", torch.zeros((), device=self.a.device))

    def forward(self, x):
        if torch.is_grad_enabled():
            self.count += 1
        return super().forward(x)


class Hidden(lora.LowRank):
    """A random factor that is neither trained nor saved."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.register_buffer("gain", torch.rand_like(self.a[:, 0]), persistent=False)

    def forward(self, x):
        return self.frozen(x) + nn.functional.linear(self.gain * nn.functional.linear(x, self.a), self.b)


class Unmerged(lora.LowRank):
    def delta(self):
        return 1.01 * super().delta()


class Jumpy(lora.LowRank):
    """Another scale under autocast."""

    def low(self, x):
        return super().low(x) * (1.5 if torch.is_autocast_enabled("cpu") else 1.0)


class Aging(lora.LowRank):
    """Another scale whenever it runs, so recomputing it in the backward pass differs."""

    def low(self, x):
        self.runs = getattr(self, "runs", 0) + 1
        return super().low(x) * (1 + 0.1 * self.runs)


class Social(lora.LowRank):
    """Looks at the other samples of the batch."""

    def low(self, x):
        return super().low(x - x.mean(0, keepdim=True))


class Padded(lora.LowRank):
    """Looks at all tokens of a caption, its padding included."""

    def low(self, x):
        return super().low(x + x.mean(1, keepdim=True))


def everywhere(self, backbone) -> None:
    lora.wrap(backbone, "both", None, self.targets, lambda frozen: lora.LowRank(frozen, self.rank, 1.0))


def on_cpu(self, backbone) -> None:
    lora.Method.attach(self, backbone)
    backbone.image.head.append(nn.Linear(1, 1, device="cpu"))


class Single(lora.LowRank):
    """Its parameters are single precision whatever the backbone's is."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.b = nn.Parameter(torch.zeros(self.b.shape, device=self.b.device))


def one_more(self, shape) -> int:
    return 1 + lora.Method.parameters(self, shape)


def two_more(self, shape) -> int:
    return 2 + lora.Method.parameters(self, shape)


def one_width(self, shape) -> int:
    return shape.image.width


def shrinking(self, shape, factor) -> lora.Method:
    return dataclasses.replace(self, rank=40 - min(39, round(4 * factor)))


def fading(self, backbone) -> None:
    """Each block that is attached to counts less than the one before."""
    orders = itertools.count(1)
    wrap = (self.towers, self.depth, self.targets)
    lora.wrap(backbone, *wrap, lambda frozen: lora.LowRank(frozen, self.rank, 1 / next(orders)))


class Loud(lora.LowRank):
    def low(self, x):
        return 0.1 + x


FAULTS = [
    ("declares", planted("no_address", reference="the paper"), "is no address"),
    ("declares", planted("no_option", turns=("size",)), "not among the options"),
    (
        "counts",
        planted("miscounted", parameters=one_more),
        "counted",
    ),
    ("counts", planted("no_addition", adds=False), "parameters in all"),
    ("counts", planted("on_cpu", attach=on_cpu, parameters=two_more), "not on the backbone's device"),
    ("counts", planted("single", Single), "not in the backbone's precision"),
    ("places", planted("everywhere", attach=everywhere), "towers=image"),
    ("blocks", planted("fading", attach=fading), "outputs differ by .*; say `whole`"),
    ("identity", planted("modest", identity=False), "but it is one"),
    (
        "identity",
        planted("loud", Loud),
        "differ",
    ),
    ("seeds", planted("unsteady", Unsteady), "another start"),
    ("starts", planted("nothing_said", starts={}), "undeclared: image.blocks.0.attn.q.a; declare in `starts`"),
    ("starts", planted("wide", Wide), "a starts with standard deviation"),
    ("starts", planted("overdrawn", starts={**lora.Method.starts, "a": starts.XAVIER}), "a starts with standard dev"),
    ("starts", planted("bell", Bell), "another distribution"),
    ("starts", planted("uneven", Uneven), "b starts from .*, declared 0"),
    ("starts", planted("cut", attach=cut, starts={"a": starts.Normal(0.0191), "b": starts.ZERO}), "cut off"),
    (
        "starts",
        planted("drawn_again", attach=drawn_again, parameters=one_width, adds=False),
        "bias does not start as the backbone has it",
    ),
    ("matters", planted("idle", Idle), "leave the image features alone"),
    ("moves", planted("undeclared", late={}), "no gradient at the start"),
    ("moves", planted("overdeclared", late={"a": "B is zero", "b": "no reason"}), "but has one"),
    ("moves", planted("counting", Counting), "is frozen, but moved"),
    ("round_trip", planted("hidden", Hidden), "features differ"),
    ("merges", planted("unmerged", Unmerged), "merged outputs differ"),
    ("autocast", planted("jumpy", Jumpy), "off by"),
    ("checkpointing", planted("aging", Aging), "differ by"),
    ("batch_size", planted("social", Social), "depend on the batch"),
    ("padding", planted("padded", Padded), "depend on the padding"),
    ("budget", planted("stubborn", resized=lambda self, shape, factor: self), "no budget changes"),
    ("budget", planted("shrinking", resized=shrinking), "fewer parameters"),
]


@pytest.mark.parametrize(("promise", "case", "message"), FAULTS, ids=[f"{p}-{c.name}" for p, c, _ in FAULTS])
def test_fault_is_found(promise, case, message):
    with pytest.raises(Broken, match=message):
        promises.PROMISES[promise](case)
    for other in ("declares", "counts") if promise not in ("declares", "counts") else ():
        promises.PROMISES[other](case)


def test_every_promise_has_a_fault():
    assert {promise for promise, _, _ in FAULTS} == set(promises.PROMISES)
