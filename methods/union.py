"""Union: several methods at their sites at once, under one budget.

`parts` lists the methods with their options; they are attached in order, so a later one wraps or joins what an earlier
one put at the same site. With `spend: all` a budget multiplies the options that the parts turn by one common factor,
which keeps their proportions. With the name of one part, that part alone takes what the others leave of the budget; the
second part of the same name is called `name#2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.adaptation.method import Method as AnyMethod
from harness.adaptation.method import limits_of, make, options, sized, sizes, written_out
from harness.errors import UserError, nearest
from harness.model.clip import Backbone, Shape
from harness.registry import find


@options
class Method:
    parts: Annotated[tuple[str | dict[str, dict[str, Any]], ...], Field(min_length=1)]  # names, or {name: options}
    spend: str = "all"  # the parts that a budget scales: all, or one by name

    reference: ClassVar[str] = "https://arxiv.org/abs/2110.04366"
    adds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if any(isinstance(part, dict) and len(part) != 1 for part in self.parts):
            raise UserError(
                "a part is one method",
                "union.parts",
                "names, or {name: {option: value}} with one name each",
            )
        for name, member in self.members.items():
            if not member.adds:
                raise UserError(
                    f"'{name}' trains the backbone's own weights", "union.parts", "methods that add parameters"
                )
        if self.spend != "all" and self.spend not in self.members:
            known = ["all", *self.members]
            raise UserError(f"no part '{self.spend}'", "union.spend", ", ".join(known), nearest(self.spend, known))
        if len(self.inserts) > len(set(self.inserts)):
            raise UserError(
                "two parts insert tokens into one tower and would replace each other's", "union.parts", "one of them"
            )

    @cached_property
    def members(self) -> dict[str, AnyMethod]:
        """The parts, made, by name."""
        made: dict[str, AnyMethod] = {}
        for name, given in self._given():
            again = sum(known.split("#")[0] == name for known in made)
            made[f"{name}#{again + 1}" if again else name] = make(find("methods", name), given, f"union.{name}")
        return made

    @property
    def identity(self) -> bool:
        return all(member.identity for member in self.members.values())

    @property
    def turns(self) -> tuple[str, ...]:
        """The options of the parts that a budget scales, as `part.option`."""
        return tuple(f"{name}.{option}" for name, member in self._spent().items() for option in member.turns)

    @property
    def inserts(self) -> tuple[str, ...]:
        """Towers whose sequence a part changes, once for each part."""
        return tuple(tower for member in self.members.values() for tower in getattr(member, "inserts", ()))

    def resized(self, shape: Shape, factor: float) -> Method:
        """The spent parts scaled by one factor."""
        chosen = self._spent()
        return self.replaced(
            {name: sized(m, shape, factor) if name in chosen else m for name, m in self.members.items()}
        )

    def replaced(self, members: Mapping[str, AnyMethod]) -> Method:
        """Other settings of the same parts."""
        return replace(self, parts=tuple({name.split("#")[0]: written_out(m)} for name, m in members.items()))

    def bases(self, shape: Shape) -> dict[str, int]:
        return {f"{name}.{o}": size for name, m in self._spent().items() for o, size in sizes(m, shape).items()}

    def limits(self, shape: Shape) -> dict[str, int]:
        return {f"{name}.{o}": size for name, m in self._spent().items() for o, size in limits_of(m, shape).items()}

    def attach(self, backbone: Backbone) -> None:
        for member in self.members.values():
            member.attach(backbone)

    def parameters(self, shape: Shape) -> int:
        return sum(member.parameters(shape) for member in self.members.values())

    def _given(self) -> list[tuple[str, dict[str, Any]]]:
        return [(part, {}) if isinstance(part, str) else next(iter(part.items())) for part in self.parts]

    def _spent(self) -> dict[str, AnyMethod]:
        return {name: member for name, member in self.members.items() if self.spend in ("all", name)}
