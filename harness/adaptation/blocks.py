"""The promise that blocks may differ in size, as the remainder of a budget needs; one more for `promises.py`."""

from __future__ import annotations

import json
from dataclasses import replace

from harness.adaptation.method import Method, make, restore, sized, state, trainable, written_out
from harness.adaptation.probe import (
    BASE,
    SMALL,
    Case,
    attached,
    difference,
    disturb,
    expect,
    on_meta,
    outputs,
    silent,
    sizes_of,
    small,
)
from harness.adaptation.spread import gains_of, spread, uneven
from harness.model.clip import Shape

EXACT = 1e-10  # relative, for equal sums in another order in float64
HALF = 0.5  # of the size in question, which may be at its limit


def blocks(case: Case) -> str | None:
    """Blocks may differ in size: counted, an identity still, with gradients; blocks of one size work as one method."""
    method = case.small()
    found, even = between(method, SMALL), sized(method, SMALL, HALF) if method.turns else method
    if found == even:
        return None
    for sizes, of in ((SMALL, found), (sizes_of(BASE), between(case.make(), sizes_of(BASE)))):
        closed, counted = of.parameters(sizes), sum(p.numel() for p in trainable(on_meta(of, sizes)).values())
        expect(closed == counted, f"{of}: parameters() gives {closed:,}, counted {counted:,}")
    again = make(case.module, json.loads(json.dumps(written_out(found))))
    expect(again == found, f"options do not survive JSON: {found} became {again}")
    backbone = attached(found)
    off = difference(outputs(small()), outputs(backbone))
    expect(off < EXACT or not found.identity, f"no identity with {'; '.join(uneven(found, SMALL))}: {off:.1e}")
    inert = getattr(method, "inert", ())
    still = [n for n in silent(disturb(backbone)) if not n.endswith(tuple(inert))]
    expect(not still, f"no gradient reaches {', '.join(still[:3])}")
    if not isinstance(getattr(method, "members", None), dict):
        _together(even, next(iter(gains_of(even, following(even, SMALL), SMALL))))
    return "; ".join(uneven(found, SMALL))


def between(method: Method, shape: Shape) -> Method:
    """The method with about half of its places a size larger; of one size where that is impossible."""
    if not method.turns:
        return method
    even = sized(method, shape, HALF)
    larger = following(even, shape)
    return spread(even, larger, shape, (even.parameters(shape) + larger.parameters(shape)) // 2)


def following(even: Method, shape: Shape) -> Method:
    """The next setting of all options together, or the same at the limit."""
    factors = (1 + step / 64 for step in range(1, 65))
    return next((larger for factor in factors if (larger := sized(even, shape, factor)) != even), even)


def _together(even: Method, place: tuple[str, int | None]) -> None:
    tower, block = place
    apart = replace(even, more=({"towers": tower, **({} if block is None else {"depth": [block]})},))
    one, other = disturb(attached(even)), attached(apart)
    restore(other, state(one))
    off = difference(outputs(one), outputs(other))
    said = f"{tower} {'' if block is None else block}".strip()
    expect(off < EXACT, f"attached to {said} and to the rest in turn, outputs differ by {off:.1e}; say `whole`")
