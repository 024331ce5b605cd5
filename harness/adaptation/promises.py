"""What every method promises, measured on a small backbone; the same functions serve the tests and `check_method`.

A promise is a function of a `Case` that returns what it measured, or None when it does not apply, and raises `Broken`
otherwise. Unless said otherwise it works in float64, where rounding is far below every real effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import torch

from harness.adaptation.blocks import blocks
from harness.adaptation.budget import parse, solve
from harness.adaptation.method import Method, make, merge, restore, state, trainable, written_out
from harness.adaptation.probe import (
    BASE,
    LARGE,
    SMALL,
    Case,
    attached,
    difference,
    disturb,
    expect,
    gradients,
    inputs,
    on_meta,
    outputs,
    short,
    silent,
    sizes_of,
    small,
)
from harness.adaptation.spread import CLOSE
from harness.adaptation.started import starts
from harness.errors import UserError

EXACT = 1e-10  # relative, for equal sums in another order in float64
BUDGETS = ("0.01%", "0.02%", "0.05%", "0.1%", "0.5%", "1%", "2%", "4.7%", "10%", "2M")


def declared(method: Method, kind: str) -> set[str]:
    """Ends of names that a method, or a part of a union, declares as `late` or `inert`."""
    parts = getattr(method, "members", ())
    parts = parts.values() if isinstance(parts, dict) else parts
    return set(getattr(method, kind, ())).union(*(declared(part, kind) for part in parts))


def ends(name: str, known: set[str]) -> bool:
    return any(f".{name}".endswith(f".{end}") for end in known)


def declares(case: Case) -> str:
    """Docstring, reference, options that survive JSON."""
    method = case.make()
    expect(bool((case.module.__doc__ or "").strip()), "the file has no docstring")
    for name in ("reference", "identity", "turns", "adds"):
        expect(hasattr(method, name), f"Method has no '{name}'")
    expect(str(method.reference).startswith("http"), f"reference '{method.reference}' is no address")
    known = {*written_out(method), *(method.turns if hasattr(method, "resized") else ())}
    expect(set(method.turns) <= known, f"turns {method.turns} are not among the options {list(written_out(method))}")
    again = make(case.module, json.loads(json.dumps(written_out(method))))
    expect(again == method, f"options do not survive JSON: {method} became {again}")
    return f"{len(written_out(method))} options"


def counts(case: Case) -> str:
    """The closed form equals the counted parameters on three backbones; the rest of the backbone stays whole."""
    found = []
    for sizes in (SMALL, sizes_of(BASE), sizes_of(LARGE)):
        method = case.small() if sizes is SMALL else case.make()
        backbone, closed = on_meta(method, sizes), method.parameters(sizes)
        own = trainable(backbone)
        counted = sum(p.numel() for p in own.values())
        expect(closed == counted, f"parameters() gives {closed:,}, counted {counted:,} (width {sizes.image.width})")
        total, want = sum(p.numel() for p in backbone.parameters()), sizes.parameters + method.adds * closed
        expect(total == want, f"{total:,} parameters in all, expected {want:,} (adds is {method.adds})")
        elsewhere = [n for n, p in own.items() if p.device.type != "meta"]
        expect(not elsewhere, f"not on the backbone's device: {short(elsewhere)}")
        found.append(f"{counted:,}")
    other = [n for n, p in trainable(attached(case.small())).items() if p.dtype != torch.float64]
    expect(not other, f"not in the backbone's precision: {short(other)}")
    return " / ".join(found)


def places(case: Case) -> str | None:
    """`towers` and `depth` keep to the towers and blocks that they name."""
    tried = []
    untouched = outputs(small())
    for key, value in [*(("towers", t) for t in ("image", "text")), ("depth", 1), ("depth", -1), ("depth", [1])]:
        if key not in written_out(case.make()):
            continue
        try:
            method = case.make(**{key: value})
        except UserError:
            continue
        backbone = disturb(attached(method))
        own = trainable(backbone)
        counted, closed = sum(p.numel() for p in own.values()), method.parameters(SMALL)
        expect(closed == counted, f"{key}={value}: parameters() gives {closed:,}, counted {counted:,}")
        if key == "towers":
            other = "text" if value == "image" else "image"
            strays = [n for n in own if not n.startswith(str(value))]
            expect(torch.equal(outputs(backbone)[other], untouched[other]), f"towers={value} changes {other} features")
        else:
            index = 0 if value == 1 else 1
            strays = [n for n in own if ".blocks." in n and f".blocks.{index}." not in n]
        expect(not strays, f"{key}={value} trains {short(strays)}")
        tried.append(f"{key}={value}")
    return ", ".join(tried) or None


def identity(case: Case) -> str:
    """Outputs at the start are the backbone's exactly when the method says so."""
    method = case.small()
    off = difference(outputs(small()), outputs(attached(method)))
    if method.identity:
        expect(off < EXACT, f"declared an identity at the start, but outputs differ by {off:.1e}")
    else:
        expect(off > 1e-6, "declared no identity at the start, but it is one")
    return f"differs by {off:.0e}"


def seeds(case: Case) -> str:
    """The start depends on torch's seed alone."""
    method = case.small()
    first, second = state(attached(method, seed=7)), state(attached(method, seed=7))
    odd = [n for n in first if not torch.equal(first[n], second[n])]
    expect(not odd, f"another start under the same seed: {short(odd)}")
    return f"{len(first)} tensors"


def matters(case: Case) -> str | None:
    """Disturbed parameters change the features of the towers they sit in."""
    backbone = attached(case.small())
    before, own = outputs(backbone), trainable(backbone)
    if not own:
        return None
    after = outputs(disturb(backbone))
    for tower in sorted({name.split(".")[0] for name in own} & set(before)):
        moved = difference({tower: before[tower]}, {tower: after[tower]})
        expect(moved > 1e-6, f"disturbed parameters leave the {tower} features alone")
    return f"moves by {difference(before, after):.0e}"


def moves(case: Case) -> str | None:
    """One step moves every trained parameter, or the method says why not; nothing else moves."""
    method = case.small()
    backbone, late, inert = attached(method), declared(method, "late"), declared(method, "inert")
    own = trainable(backbone)
    if not own:
        return None
    before = {n: t.detach().clone() for n, t in [*backbone.named_parameters(), *backbone.named_buffers()]}
    start = silent(backbone)
    undeclared = [n for n in own if n in start and not ends(n, late | inert)]
    expect(not undeclared, f"no gradient at the start: {short(undeclared)}; say why in `late` or `inert`")
    if not hasattr(method, "members"):  # beside other methods an excuse may not be needed
        for end in late | inert:
            meant = [n for n in own if ends(n, {end})]
            expect(not meant or bool(start & {*meant}), f"'{end}' is declared without a gradient, but has one")
    torch.optim.SGD(own.values(), lr=0.1).step()
    for name, tensor in [*backbone.named_parameters(), *backbone.named_buffers()]:
        if name not in own:
            expect(torch.equal(tensor, before[name]), f"{name} is frozen, but moved")
            expect(tensor.grad is None, f"{name} is frozen, but has a gradient")
        elif name not in start:
            expect(not torch.equal(tensor, before[name]), f"{name} did not move")
    stuck = [n for n in silent(disturb(backbone)) if not ends(n, inert)]
    expect(not stuck, f"no gradient even away from the start: {short(stuck)}; say why in `inert`")
    return f"{len(own)} tensors" + (f", {len(start)} of them not at first" if start else "")


def round_trip(case: Case) -> str:
    """What is saved, put into a fresh backbone under another seed, gives the same bits."""
    method = case.small()
    trained = disturb(attached(method, seed=1)) if method.parameters(SMALL) else attached(method)
    saved = state(trained)
    expect(sum(t.numel() for t in saved.values()) == method.parameters(SMALL), "saved another number of parameters")
    fresh = attached(method, seed=2)
    restore(fresh, saved)
    first, second = outputs(trained), outputs(fresh)
    off = [name for name in first if not torch.equal(first[name], second[name])]
    expect(not off, f"restored {short(off)} features differ by {difference(first, second):.1e}")
    return f"{len(saved)} tensors"


def merges(case: Case) -> str | None:
    """Folded into plain layers, the outputs stay."""
    method = case.small()
    backbone = attached(method)
    if not any(hasattr(module, "merged") for module in backbone.modules()):
        return None
    before = outputs(disturb(backbone))
    folded = merge(backbone)
    off = difference(before, outputs(backbone))
    expect(off < 1e-9, f"merged outputs differ by {off:.1e}")
    left = trainable(backbone)
    return f"{folded} folded, {len(left)} tensors left, differs by {off:.0e}"


def autocast(case: Case) -> str | None:
    """Under bfloat16 autocast the whole gradient stays the same direction and length, within bfloat16's rounding."""
    method = case.small()
    if not method.parameters(SMALL):
        return None
    backbone = disturb(attached(method, dtype=torch.float32))
    full = torch.cat([g.flatten().double() for g in gradients(backbone).values()])
    half = torch.cat([g.flatten().double() for g in gradients(backbone, autocast=True).values()])
    off = float((full - half).norm() / full.norm())
    expect(off < 0.15, f"gradient under bfloat16 autocast is off by {off:.0%} of its length")
    return f"off by {off:.1%}"


def checkpointing(case: Case) -> str | None:
    """Recomputing activations gives the same gradients."""
    method = case.small()
    if not method.parameters(SMALL):
        return None
    backbone = disturb(attached(method))
    plain = {n: g.clone() for n, g in gradients(backbone).items()}
    backbone.checkpointing()
    again, largest = gradients(backbone), max(float(g.abs().max()) for g in plain.values())
    off = max(float((plain[n] - again[n]).abs().max()) for n in plain) / largest
    expect(off < EXACT, f"gradients with checkpointing differ by {off:.1e}")
    return f"differs by {off:.0e}"


def batch_size(case: Case) -> str:
    """Each sample alone has the features it has in a batch."""
    backbone = disturb(attached(case.small()))
    whole, (images, ids) = outputs(backbone), inputs()
    with torch.no_grad():
        alone = {
            "image": torch.cat([backbone.image(row[None]) for row in images]),
            "text": torch.cat([backbone.text(row[None]) for row in ids]),
        }
    off = difference(whole, alone)
    expect(off < EXACT, f"features depend on the batch, by {off:.1e}")
    return f"differs by {off:.0e}"


def padding(case: Case) -> str:
    """Cutting the padding behind a caption's end changes nothing."""
    backbone, ids = disturb(attached(case.small())), inputs()[1]
    with torch.no_grad():
        cut = torch.cat([backbone.text(row[None, : int(row.argmax()) + 1]) for row in ids])
        whole = backbone.text(ids)
    off = difference({"text": whole}, {"text": cut})
    expect(off < EXACT, f"features depend on the padding, by {off:.1e}")
    return f"differs by {off:.0e}"


def budget(case: Case) -> str | None:
    """Solutions stay within the target, grow with it, and solving for what was achieved gives the same setting."""
    method, sizes, before, feasible = case.make(), sizes_of(BASE), 0, 0
    achieved = set()
    if not method.turns:
        return None
    for text in sorted(BUDGETS, key=lambda text: parse(text).target(sizes, method.adds)):
        found = solve(method, sizes, parse(text))
        expect(found.trained == found.method.parameters(sizes), f"{text}: solution miscounts itself")
        expect(found.trained >= before, f"{text}: fewer parameters than for a smaller budget")
        before = found.trained
        achieved.add(found.trained)
        expect(make(case.module, json.loads(json.dumps(written_out(found.method)))) == found.method, "lost in JSON")
        if found.reason is None and found.target is not None:
            feasible += 1
            expect(found.trained <= found.target, f"{text}: {found.trained:,} exceed the target of {found.target:,}")
            again = solve(found.method, sizes, parse(found.trained))
            kept = again.method == found.method or ((1 - CLOSE) * found.trained <= again.trained < found.trained)
            expect(kept, f"{text}: solving for {found.trained:,} gives another setting")
    expect(len(achieved) > 1, f"no budget changes the {before:,} parameters that {', '.join(method.turns)} should turn")
    return f"{feasible} of {len(BUDGETS)} budgets feasible"


PROMISES: dict[str, Callable[[Case], str | None]] = {
    promise.__name__: promise
    for promise in (
        declares,
        counts,
        places,
        blocks,
        identity,
        seeds,
        starts,
        matters,
        moves,
        round_trip,
        merges,
        autocast,
        checkpointing,
        batch_size,
        padding,
        budget,
    )
}
