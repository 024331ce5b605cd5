"""The remainder of a budget, spread over blocks: some get the next size of a method's options, the others keep theirs.

The blocks that are larger lie evenly in their tower, towers get like shares of theirs, and nothing is drawn: one target
gives one setting. It is written out as the option `more` of the method, or of the parts of a union.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from harness.adaptation.method import Method, layers, limits_of, sizes, towers
from harness.errors import UserError
from harness.model.clip import Shape

CLOSE = 0.02  # of the target: a smaller miss is left as it is
Place = tuple[str, int | None]  # a tower and its block, or all of its blocks together


def spread(even: Method, following: Method, shape: Shape, target: int) -> Method:
    """A setting between `even` and a larger one, nearer to the target, which it does not exceed.

    Larger is `following`, the next setting of all options together, or else one option alone. Of settings within
    `CLOSE` of the target that one is taken whose towers have the most alike shares of larger blocks; where there is
    none, the one that leaves least. Where blocks cannot differ in size, towers may; where neither can, `even` returns.
    """
    before, found = even.parameters(shape), []
    for order, larger in enumerate([following, *_single(even, shape)]):
        gains = gains_of(even, larger, shape)
        groups: dict[tuple[str, bool], list[Place]] = defaultdict(list)
        for tower, block in gains:
            groups[tower, block is None].append((tower, block))
        for counts in itertools.product(*(range(len(group) + 1) for group in groups.values())):
            chosen = [p for group, k in zip(groups.values(), counts, strict=True) for p in evenly(group, k)]
            total = before + sum(gains[place] for place in chosen)
            if before < total <= target:
                shares = [k / len(group) for group, k in zip(groups.values(), counts, strict=True)]
                near, apart = total >= (1 - CLOSE) * target, max(shares) - min(shares)
                found.append(((0, order, apart, -total) if near else (1, -total, order, apart), larger, chosen))
    if not found:
        return even
    _, larger, chosen = min(found, key=lambda each: each[0])
    return _with(even, larger, chosen, shape)


def evenly(group: Sequence[Place], count: int) -> list[Place]:
    """`count` of a group, as far apart as they go."""
    return [group[(2 * index + 1) * len(group) // (2 * count)] for index in range(count)]


def uneven(method: Method, shape: Shape) -> list[str]:
    """What blocks have other sizes, as `rank 5 in image 0, 2`; a part of a union with its name before."""
    members = getattr(method, "members", None)
    if isinstance(members, dict):
        return [f"{name}.{said}" for name, member in members.items() for said in uneven(member, shape)]
    said = []
    for entry in getattr(method, "more", ()):
        options = ", ".join(f"{k} {v}" for k, v in entry.items() if k in method.turns)
        blocks = ", ".join(map(str, layers(entry["depth"], 99))) if "depth" in entry else "all blocks"
        said.append(f"{options} in {entry.get('towers', 'both')} {blocks}")
    return said


def _single(even: Any, shape: Shape) -> Iterator[Method]:
    """The method with one option more by one, for each that a budget turns alone; of a union, of each part."""
    members = getattr(even, "members", None)
    if isinstance(members, dict):
        for name in dict.fromkeys(turn.rpartition(".")[0] for turn in even.turns):
            for larger in _single(members[name], shape):
                yield even.replaced({**members, name: larger})
    elif not hasattr(even, "resized") and len(even.turns) > 1:
        limits = limits_of(even, shape)
        for name, size in sizes(even, shape).items():
            if size < limits.get(name, size + 1):
                yield replace(even, **{name: size + 1})


def gains_of(even: Any, larger: Any, shape: Shape) -> dict[Place, int]:
    """Parameters that each place gains, where places have sizes of their own."""
    members = getattr(even, "members", None)
    if isinstance(members, dict):
        united: dict[Place, int] = defaultdict(int)
        for name, member in members.items():
            for place, gain in gains_of(member, larger.members[name], shape).items():
                united[place] += gain
        return dict(sorted(united.items(), key=str))
    if even == larger or "more" not in even.__dataclass_fields__:
        return {}
    depth = getattr(even, "depth", None)
    whole: list[Place] = [(tower.name, None) for tower in towers(shape, even.towers)]
    single: list[Place] = [(t.name, b) for t in towers(shape, even.towers) for b in sorted({*layers(depth, t.layers)})]
    for places in (single, whole):
        try:
            counts = [[_at(of, place).parameters(shape) for place in places] for of in (even, larger)]
        except (UserError, ValidationError, TypeError):  # it has no such place
            continue
        if len(places) > 1 and [sum(each) for each in counts] == [even.parameters(shape), larger.parameters(shape)]:
            return {place: more - less for place, less, more in zip(places, *counts, strict=True) if more > less}
    return {}


def _at(method: Any, place: Place) -> Any:
    tower, block = place
    return replace(method, towers=tower, **({} if block is None else {"depth": (block,)}))


def _with(even: Any, larger: Any, chosen: Sequence[Place], shape: Shape) -> Method:
    """`even`, in the chosen places as large as `larger`."""
    members = getattr(even, "members", None)
    if isinstance(members, dict):
        return even.replaced({n: _with(m, larger.members[n], chosen, shape) for n, m in members.items()})
    gains = gains_of(even, larger, shape)
    one, other = sizes(even, shape), sizes(larger, shape)
    changes: Mapping[str, Any] = {name: size for name, size in other.items() if size != one[name]}
    alike = even.alike(changes) if changes and hasattr(even, "alike") else {}
    blocks: dict[str, list[int | None]] = defaultdict(list)
    for tower, block in chosen:
        if (tower, block) in gains:
            blocks[tower].append(block)
    where = ({"towers": t, **({} if None in own else {"depth": own})} for t, own in blocks.items())
    more = tuple({**place, **changes, **alike} for place in where)
    return replace(even, more=more) if more else even
