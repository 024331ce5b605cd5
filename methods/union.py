"""Union: several methods at their sites at once, under one budget.

`parts` lists the methods with their options; they are attached in order, so a later one wraps or joins what an earlier
one put at the same site. A budget scales the parts together: the option that each part turns is multiplied by one
common factor, which keeps their proportions.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from harness.clip import Backbone, Shape
from harness.errors import UserError
from harness.method import Method as AnyMethod
from harness.method import make, options, sized, written_out
from harness.registry import find


@options
class Method:
    parts: tuple[str | dict[str, dict[str, Any]], ...]  # method names, or {name: options}

    reference: ClassVar[str] = "https://arxiv.org/abs/2110.04366"
    turns: ClassVar[tuple[str, ...]] = ("parts",)
    adds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, member in zip(self.names, self.members, strict=True):
            if not member.adds:
                raise UserError(
                    f"'{name}' trains the backbone's own weights", "union.parts", "methods that add parameters"
                )

    @cached_property
    def members(self) -> tuple[AnyMethod, ...]:
        """The parts, made."""
        given = ({} if isinstance(part, str) else next(iter(part.values())) for part in self.parts)
        return tuple(
            make(find("methods", name), settings, f"union.{name}")
            for name, settings in zip(self.names, given, strict=True)
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part if isinstance(part, str) else next(iter(part)) for part in self.parts)

    def resized(self, shape: Shape, factor: float) -> Method:
        """All parts scaled by one factor."""
        scaled = (written_out(sized(member, shape, factor)) for member in self.members)
        return replace(self, parts=tuple({name: options} for name, options in zip(self.names, scaled, strict=True)))

    @property
    def identity(self) -> bool:
        return all(member.identity for member in self.members)

    def attach(self, backbone: Backbone) -> None:
        for member in self.members:
            member.attach(backbone)

    def parameters(self, shape: Shape) -> int:
        return sum(member.parameters(shape) for member in self.members)
