"""How trained tensors start: the values of a method's `starts`, by the end of a parameter's name.

    starts: ClassVar[Starts] = {"a": FAN_IN, "b": ZERO}

Of several ends that fit the longest counts. A tensor of the backbone's own that a method trains starts as the backbone
has it and is not declared. `started.py` draws starts and holds them against these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.model.clip import TowerShape


@dataclass(frozen=True)
class Place:
    """Where a tensor stands.

    Attributes:
        weight: Shape of the tensor or, for a bias, of the weight beside it.
        tower: Sizes of the tower it stands in.
        frozen: Weight [out, in] of the backbone's linear that it belongs to; empty elsewhere.
    """

    weight: tuple[int, ...]
    tower: TowerShape
    frozen: Tensor

    @property
    def fans(self) -> tuple[int, int]:
        """Inputs and outputs of one unit, as torch counts them: channels times what a kernel covers."""
        kernel = math.prod(self.weight[2:])
        return self.weight[1] * kernel, self.weight[0] * kernel


@dataclass(frozen=True)
class Constant:
    """Every entry has this value."""

    value: float

    def at(self, place: Place) -> Law:
        return self


@dataclass(frozen=True)
class Normal:
    """N(mean, std^2), not truncated."""

    std: float
    mean: float = 0.0
    kurtosis = 3.0

    def at(self, place: Place) -> Law:
        return self if self.std else Constant(self.mean)

    def below(self, x: Tensor) -> Tensor:
        """Probability of a value up to x, elementwise."""
        return torch.special.ndtr((x - self.mean) / self.std)


@dataclass(frozen=True)
class Uniform:
    """U(low, high)."""

    low: float
    high: float
    kurtosis = 1.8

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def std(self) -> float:
        return (self.high - self.low) / math.sqrt(12)

    def at(self, place: Place) -> Law:
        return self

    def below(self, x: Tensor) -> Tensor:
        """Probability of a value up to x, elementwise."""
        return ((x - self.low) / (self.high - self.low)).clamp(0, 1)


def within(bound: float) -> Uniform:
    """U(-bound, bound)."""
    return Uniform(-bound, bound)


@dataclass(frozen=True)
class Sized:
    """What depends on sizes or on frozen weights: `law` gives it for a place, `said` says it in words."""

    said: str
    law: Callable[[Place], Law]

    def at(self, place: Place) -> Law:
        return self.law(place)


Law = Constant | Normal | Uniform | Tensor  # a tensor is the start itself
Start = Constant | Normal | Uniform | Sized
Starts = Mapping[str, Start]

ZERO, ONE = Constant(0.0), Constant(1.0)
# A linear or convolution as torch draws it, its bias included; Kaiming-uniform with a = sqrt 5.
FAN_IN = Sized("U(-b, b), b = 1 / sqrt(fan in)", lambda place: within(place.fans[0] ** -0.5))
XAVIER = Sized("U(-b, b), b = sqrt(6 / (fan in + fan out))", lambda place: within(math.sqrt(6 / sum(place.fans))))
