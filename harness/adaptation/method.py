"""What every method is: options, an attachment to a frozen backbone, and a closed form of its trainable parameters.

A method is a file in `methods/` with a class `Method`, decorated by `options`: a frozen dataclass whose fields are the
options. Options are checked against their types and `Field` bounds when a method is made, so a study with a wrong
option is refused before anything is trained.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, Field, asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from harness.errors import UserError, brief, nearest
from harness.model.clip import Backbone, Block, Shape, Tower, TowerShape

FAULTS = 10  # that are told of a method's options
Towers = Literal["both", "image", "text"]
Depth = int | tuple[int, ...] | None  # first n blocks, last -n blocks, a list of block indices, or all

if TYPE_CHECKING:
    from dataclasses import dataclass as options  # what checkers of types make of the one below
else:
    STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    More = tuple[dict[str, Any], ...]  # options that differ in some blocks, each with the `towers` and `depth` of those

    def options(kind):
        """A class of options; one that a budget turns has `more` too, and is attached and counted by its `copies`."""
        known = {k: v for base in reversed(kind.__mro__) for k, v in vars(base).get("__annotations__", {}).items()}
        turns = getattr(kind, "turns", ())
        free = isinstance(turns, tuple) and turns and "towers" in known and "depth" not in turns
        free = free and not getattr(kind, "whole", False)
        if free and known.get("more", More) is More:
            if "more" not in known:
                kind.__annotations__["more"], kind.more = More, ()
            for name in ("attach", "parameters"):
                if name in vars(kind):
                    setattr(kind, name, _of_copies(vars(kind)[name]))
        return dataclass(kind, frozen=True, config=STRICT)

    def _of_copies(of_one):
        """`attach` or `parameters` of a method whose blocks have one size, as that of one with `more`."""

        @functools.wraps(of_one)
        def of_all(self, on):
            found = [of_one(part, on) for part in copies(self, getattr(on, "shape", on))]
            return None if found[0] is None else sum(found)

        return of_all


@runtime_checkable
class Method(Protocol):
    """A way of transferring a frozen backbone.

    Attributes:
        reference: Address of the paper.
        identity: Whether the backbone's outputs are unchanged right after `attach`.
        turns: The integer options that a budget scales together; empty for a method of fixed size.
        adds: Whether trained parameters come on top of the backbone's own.

    `options` gives a method with `turns` and the option `towers` a further option, `more`: entries of options that
    differ in some blocks, as `{"towers": "image", "depth": [0, 4], "rank": 5}`. The method is attached and counted as
    `copies` of itself; one whose blocks depend on each other refuses with `whole`.

    A method may also declare, for trained parameters by the end of their name, why they have no gradient: `late` at the
    start only (factors of a zero), `inert` ever (the softmax ignores a bias on all keys). See `promises.py`.
    `starts` declares, for trained parameters that are not the backbone's, how they start; see `starts.py`.
    """

    reference: ClassVar[str]
    identity: ClassVar[bool]
    turns: ClassVar[tuple[str, ...]]
    adds: ClassVar[bool]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def attach(self, backbone: Backbone) -> None:
        """Put the method's modules at their sites, or unfreeze parameters of the backbone."""

    def parameters(self, shape: Shape) -> int:
        """Trainable parameters on a backbone of this shape, in closed form."""


def make(module: ModuleType, given: Mapping[str, Any] | None = None, where: str | None = None) -> Method:
    """The module's `Method` with these options.

    Raises:
        UserError: unknown option or wrong value; every fault of the mapping is named in one message.
    """
    kind = module.Method
    given = {key: _frozen(value) for key, value in (given or {}).items()}
    try:
        made = kind(**given)
        for entry in getattr(made, "more", ()):
            make(module, {**given, "more": [], **entry}, where)
            if "more" in entry:
                raise UserError("more: an entry has no 'more' of its own", where, "towers, depth and other options")
        return made
    except ValidationError as error:
        known = [field.name for field in fields(kind)]
        faults = []
        for fault in error.errors()[:FAULTS]:
            key = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(("function-", "tuple[")))
            if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
                near = nearest(key, known)
                faults.append(f"unknown option '{brief(key)}'" + (f" (did you mean {near}?)" if near else ""))
            else:
                faults.append(f"{key}: {fault['msg'].lower()}, got {brief(repr(fault['input']))}")
        name = Path(module.__file__ or module.__name__).stem
        raise UserError(
            f"method {name}: " + "; ".join(dict.fromkeys(faults)), where, f"options {', '.join(known)}"
        ) from error


def _frozen(value: Any) -> Any:
    """YAML's lists as tuples, so that options are values."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def written_out(method: Method) -> dict[str, Any]:
    """Every option with its value, defaults included, as JSON has it; `more` where blocks differ."""
    found = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(method).items()}
    return {name: value for name, value in found.items() if name != "more" or value}


def defaults(kind: type) -> dict[str, Any]:
    """The options of a method that have a default."""
    found = {}
    for field in fields(kind):
        if field.default is not MISSING:
            found[field.name] = field.default
        elif field.default_factory is not MISSING:
            found[field.name] = field.default_factory()
    return found


def sized(method: Method, shape: Shape, factor: float) -> Method:
    """The method with every option in `turns` multiplied by `factor`, rounded, at least 1 and within its limits.

    A method may say how with `resized(shape, factor)`; `bases(shape)` gives values for options that are None, and
    `limits(shape)` upper bounds. All blocks get one size.
    """
    method = replace(method, more=()) if getattr(method, "more", ()) else method
    if hasattr(method, "resized"):
        return method.resized(shape, factor)
    bases, limits = sizes(method, shape), limits_of(method, shape)
    return replace(
        method,
        **{name: max(1, min(round(base * factor), limits.get(name, sys.maxsize))) for name, base in bases.items()},
    )


def sizes(method: Method, shape: Shape) -> dict[str, int]:
    """The options that a budget turns, with their values on a backbone of this shape."""
    bases = method.bases(shape) if hasattr(method, "bases") else {}
    return {name: bases[name] if name in bases else getattr(method, name) for name in method.turns}


def limits_of(method: Method, shape: Shape) -> dict[str, int]:
    """Upper bounds of the options that a budget turns, where there are any."""
    return method.limits(shape) if hasattr(method, "limits") else {}


def extra_loss(backbone: nn.Module) -> Tensor | None:
    """Sum of what modules of a method add to the training loss, or None when none does.

    A module adds a scalar by a method `extra_loss() -> Tensor | None`, called once after each forward pass.
    """
    asked = (ask for module in backbone.modules() if (ask := getattr(module, "extra_loss", None)) is not None)
    parts: list[Tensor] = [part for ask in asked if (part := ask()) is not None]
    return sum(parts[1:], start=parts[0]) if parts else None


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Autocast off on the device of `like`, where that device has autocast."""
    kind = like.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


# Choosing blocks ----------------------------------------------------------------------------------------------------


def layers(depth: Depth, count: int) -> tuple[int, ...]:
    """Block indices of a tower of `count` blocks that `depth` names.

    Raises:
        UserError: more blocks than there are, or none.
    """
    if depth is None:
        return tuple(range(count))
    chosen = (
        tuple(depth)
        if isinstance(depth, Sequence)
        else tuple(range(count)[:depth] if depth >= 0 else range(count)[depth:])
    )
    if (isinstance(depth, int) and abs(depth) > count) or any(not 0 <= index < count for index in chosen):
        raise UserError(f"depth {depth} names blocks beyond the tower's {count}", "depth", f"at most {count} blocks")
    if not chosen:
        raise UserError(f"depth {depth} names no block", "depth", f"1 to {count} blocks")
    return chosen


def towers(shape: Shape, which: Towers) -> Iterator[TowerShape]:
    """Shapes of the chosen towers."""
    return (tower for tower in shape.towers if which in ("both", tower.name))


def blocks(backbone: Backbone, which: Towers, depth: Depth = None) -> Iterator[tuple[Tower, Block]]:
    """The chosen blocks with their towers."""
    for tower in backbone.towers:
        if which in ("both", tower.name):
            for index in layers(depth, len(tower.blocks)):
                yield tower, tower.block(index)


def scaled_width(width: int, tower: TowerShape, shape: Shape) -> int:
    """A bottleneck of `width` in the wider tower, in proportion (and at least 1) in a narrower one."""
    return max(1, round(width * tower.width / max(t.width for t in shape.towers)))


def copies(method: Method, shape: Shape) -> list[Method]:
    """The methods of one size that a method is made of: one per entry of `more`, and the rest of each tower.

    Raises:
        UserError: an entry names blocks that the method has not, or that another entry has.
    """
    if not getattr(method, "more", ()):
        return [method]
    even: Any = replace(method, more=())
    parts: list[Method] = []
    deep = hasattr(even, "depth")
    left = {t.name: layers(getattr(even, "depth", None), t.layers) for t in towers(shape, even.towers)}
    for entry in getattr(method, "more", ()):
        part: Any = replace(even, **{key: _frozen(value) for key, value in entry.items()})
        for tower in towers(shape, part.towers):
            chosen, own = layers(getattr(part, "depth", None), tower.layers), left.get(tower.name, ())
            if not set(chosen) <= set(own):
                expected = "blocks of `towers` and `depth`, each in one entry"
                raise UserError(f"blocks {list(chosen)} of the {tower.name} tower are not free", "more", expected)
            left[tower.name] = tuple(index for index in own if index not in chosen)
        parts.append(part)
    rest = ({"towers": name, **({"depth": own} if deep else {})} for name, own in left.items() if own)
    return [*parts, *(replace(even, **place) for place in rest)]


# What was trained ---------------------------------------------------------------------------------------------------


def trainable(backbone: nn.Module) -> dict[str, nn.Parameter]:
    """Trained parameters by name."""
    return {name: p for name, p in backbone.named_parameters() if p.requires_grad}


def state(backbone: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU of what was trained, and of nothing else."""
    return {name: p.detach().to("cpu", copy=True) for name, p in trainable(backbone).items()}


def restore(backbone: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Put saved parameters back into a backbone with the same method attached.

    Raises:
        UserError: other names or shapes; nothing is loaded then.
    """
    own = trainable(backbone)
    wrong = [f"missing {n}" for n in own if n not in saved] + [f"unexpected {n}" for n in saved if n not in own]
    wrong += [
        f"{n} is {tuple(saved[n].shape)}, not {tuple(p.shape)}"
        for n, p in own.items()
        if n in saved and saved[n].shape != p.shape
    ]
    if wrong:
        raise UserError(f"saved parameters do not fit the method: {'; '.join(wrong[:3])} ({len(wrong)} in all)")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])


def merge(backbone: nn.Module) -> int:
    """Fold every outermost module that has `merged()` into a plain layer; returns how many were folded."""
    folded: list[str] = []
    for name, module in list(backbone.named_modules()):
        # a wrapper folds what it wraps
        if hasattr(module, "merged") and not name.startswith(tuple(f"{outer}." for outer in folded)):
            parent, _, last = name.rpartition(".")
            setattr(backbone.get_submodule(parent), last, module.merged())
            folded.append(name)
    return len(folded)
