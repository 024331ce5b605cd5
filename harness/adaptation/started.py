"""The promise that tensors start as their method declares in `starts`; one more for `promises.py`."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness.adaptation.method import Method, trainable
from harness.adaptation.probe import Case, attached, expect, short, small
from harness.adaptation.starts import Constant, Law, Normal, Place, Starts, Uniform
from harness.model.clip import Backbone

WIDTH = 0.03  # relative, of a standard deviation: four standard errors of a sample of `enough`
ROUNDS = 12  # seeds at most; a smaller sample has a wider margin
DISTANCE = 2.2  # over sqrt(n), of Kolmogorov and Smirnov: a sound start exceeds it once in 8,000 times
DECLARE = "declare in `starts` how it starts"


def starts(case: Case) -> str | None:
    """Trained tensors start as the method declares in `starts`, those of the backbone as they were."""
    method = case.small()
    leaves = list(parts(method))
    found = [_checked(leaf) for leaf in leaves]
    if leaves != [method]:
        _together(method, leaves)
    tensors, entries = (sum(counts) for counts in zip(*found, strict=True))
    return f"{tensors} tensors, {entries:,} entries drawn" if tensors else None


def parts(method: Method) -> Iterator[Method]:
    """The methods that a union is made of, or the method itself."""
    members = getattr(method, "members", None)
    if members is None:
        yield method
    else:
        for member in members.values() if isinstance(members, dict) else members:
            yield from parts(member)


def declared(method: Method, name: str) -> str:
    """The end of a tensor's name that a method declares, the longest; empty if there is none."""
    known: Starts = getattr(method, "starts", {})
    return max((end for end in known if f".{name}".endswith(f".{end}")), key=len, default="")


def started(method: Method, plain: Backbone, backbone: Backbone) -> Iterator[tuple[str, Tensor, str, Law | None]]:
    """Trained tensors that are not `plain`'s, and declared buffers: name, tensor, declared end and what it means."""
    known: Starts = getattr(method, "starts", {})
    own = {name for name, _ in plain.named_parameters()}
    linears = {name: module.weight for name, module in plain.named_modules() if isinstance(module, nn.Linear)}
    everything = dict(backbone.named_parameters())
    buffers = {name: t for name, t in backbone.named_buffers() if declared(method, name)}
    for name, tensor in {**trainable(backbone), **buffers}.items():
        if name not in own:
            end = declared(method, name)
            weight = everything.get(name.removesuffix("bias") + "weight", tensor) if name.endswith("bias") else tensor
            frozen = next((linears[place] for place in _above(name) if place in linears), torch.empty(0, 0))
            tower = plain.shape.text if name.startswith("text.") else plain.shape.image
            law = known[end].at(Place(tuple(weight.shape), tower, frozen)) if end else None
            yield name, tensor.detach(), end, law


def _above(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def enough(law: Normal | Uniform) -> int:
    """Entries of a sample whose standard deviation has a standard error of a quarter of `WIDTH`."""
    return math.ceil(4 * (law.kurtosis - 1) / WIDTH**2)


def _checked(method: Method) -> tuple[int, int]:
    """Numbers of tensors and of drawn entries that start as declared."""
    plain = small(torch.float32)
    backbone = attached(method, dtype=torch.float32)
    own = trainable(backbone)
    for name, before in plain.named_parameters():
        expect(torch.equal(own.get(name, before), before), f"{name} does not start as the backbone has it; {DECLARE}")
    tensors = 0
    drawn: dict[tuple[str, Normal | Uniform], list[Tensor]] = defaultdict(list)
    first: dict[str, Tensor] = {}
    for seed in range(ROUNDS):
        fresh = False
        for name, tensor, end, law in started(method, plain, backbone):
            expect(law is not None, f"undeclared: {name}; {DECLARE}")
            tensors += not seed
            if isinstance(law, Constant | Tensor):
                want = torch.full_like(tensor, law.value) if isinstance(law, Constant) else law
                near = want.shape == tensor.shape and torch.allclose(tensor, want, 1e-4, 1e-6 * float(want.abs().max()))
                expect(near, f"{name} starts from {_shown(tensor)}, declared {_shown(want)}")
            elif law is not None and not (seed and torch.equal(tensor, first[name])):  # a buffer may be always the same
                first.setdefault(name, tensor)
                drawn[end, law].append(tensor.flatten())
                fresh = True
        if not fresh or all(sum(map(len, found)) >= enough(law) for (_, law), found in drawn.items()):
            break
        backbone = _again(method, plain, seed + 1)
    for (end, law), found in drawn.items():
        _alike(end, law, torch.cat(found).double())
    return tensors, sum(len(tensor) for found in drawn.values() for tensor in found)


def _again(method: Method, plain: Backbone, seed: int) -> Backbone:
    """Another start, on modules that share the frozen tensors: copying them takes longer than all else."""
    backbone = copy.deepcopy(plain, {id(tensor): tensor for tensor in plain.parameters()})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attach(backbone)
    return backbone


def _alike(end: str, law: Normal | Uniform, sample: Tensor) -> None:
    """Mean, width and form of a sample; a uniform one stays between its bounds, a normal one has tails."""
    count, std = len(sample), float(sample.std())
    told = f"{end} starts with standard deviation {std:.4g} and mean {float(sample.mean()):.4g}, declared {law}"
    margin = max(WIDTH, 4 * math.sqrt((law.kurtosis - 1) / (4 * count)))
    expect(abs(std / law.std - 1) <= margin, told)
    expect(abs(float(sample.mean()) - law.mean) <= 4.5 * law.std / math.sqrt(count), told)
    rank = torch.arange(count + 1, dtype=torch.float64) / count
    below = law.below(sample.sort().values)
    far = max(float((below - rank[:-1]).max()), float((rank[1:] - below).max()))
    expect(far <= DISTANCE / math.sqrt(count), f"{told}: another distribution")
    low, high = float(sample.min()), float(sample.max())
    if isinstance(law, Uniform):
        expect(law.low - 1e-6 * law.std <= low and high <= law.high + 1e-6 * law.std, f"{told}: beyond the bounds")
    elif count >= enough(law):
        expect(max(high - law.mean, law.mean - low) > 3 * law.std, f"{told}: cut off")


def _together(method: Method, leaves: list[Method]) -> None:
    """A union starts as its parts do, attached one after the other."""
    apart = small(torch.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for leaf in leaves:
            leaf.attach(apart)
    one, other = trainable(attached(method, dtype=torch.float32)), trainable(apart)
    odd = [name for name in one if name not in other or not torch.equal(one[name], other[name])]
    expect(not odd and len(one) == len(other), f"starts unlike its parts: {short(odd) or 'tensors are missing'}")


def _shown(tensor: Tensor) -> str:
    low, high = float(tensor.min()), float(tensor.max())
    return f"{low:.4g}" if low == high else f"{tuple(tensor.shape)} between {low:.4g} and {high:.4g}"
