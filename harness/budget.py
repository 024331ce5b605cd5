"""From a budget of trained parameters to a method's integer options.

A budget is written as a share (`1%`) or a count (`2M`, `300k`, `1966128`). A share p means trained / (backbone + added)
= p, as UP-Person counts (7,419,816 of 157,037,480 is 4.7 %); `1% of backbone` means trained / backbone. The solution is
the largest setting that does not exceed the target; what was achieved is kept beside it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from harness.clip import Shape
from harness.errors import UserError
from harness.method import Method, limits_of, sized, sizes

FURTHEST = 2.0**40  # a factor at which every option has met its limit
UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@dataclass(frozen=True)
class Budget:
    """A target as it was written.

    Attributes:
        text: As written in the study.
        share: Fraction of the parameters, or None for a count.
        count: Trained parameters, or None for a share.
        of_backbone: Whether the share is of the backbone alone.
    """

    text: str
    share: float | None = None
    count: int | None = None
    of_backbone: bool = False

    def target(self, shape: Shape, adds: bool = True) -> int:
        """Trained parameters meant, for a method that adds its parameters to the backbone or trains the backbone's."""
        if self.count is not None:
            return self.count
        whole = shape.parameters
        return math.floor(whole * self.share / (1 - self.share if adds and not self.of_backbone else 1))


@dataclass(frozen=True)
class Solution:
    """What a budget became.

    Attributes:
        method: The method with solved options; when infeasible, the nearest setting there is.
        trained: Trained parameters of `method`.
        total: Backbone and added parameters.
        target: Trained parameters asked for, or None without a budget.
        reason: Why the target cannot be met, or None.
    """

    method: Method
    trained: int
    total: int
    target: int | None = None
    reason: str | None = None

    @property
    def share(self) -> float:
        """Trained share of all parameters, a fraction."""
        return self.trained / self.total


def parse(text: str | int | float, where: str | None = None) -> Budget:
    """Read a budget.

    Raises:
        UserError: neither a share between 0 and 100 % nor a positive whole count.
    """
    written = str(text).strip()
    share = re.fullmatch(r"([0-9.]+)\s*%(\s+of\s+backbone)?", written)
    count = re.fullmatch(r"([0-9]+(?:[,_][0-9]{3})*(?:\.[0-9]+)?)\s*([kMG]?)", written)
    try:
        if share and 0 < float(share[1]) < 100:
            return Budget(written, share=float(share[1]) / 100, of_backbone=bool(share[2]))
        number = Fraction(count[1].replace(",", "").replace("_", "")) * UNITS[count[2]] if count else 0
        if number >= 1 and number.denominator == 1:
            return Budget(written, count=int(number))
    except ValueError:
        pass
    raise UserError(f"cannot read budget '{written}'", where or "budgets", "a share like 4.7% or a count like 2M")


def solve(method: Method, shape: Shape, budget: Budget | None) -> Solution:
    """The largest setting of `method` within `budget` on a backbone of this shape.

    The options in `method.turns` are scaled by one factor and rounded, so a union keeps its proportions. A target that
    no setting meets (smaller than the smallest, or more than 10 % above the largest) gives the nearest one and the
    reason.
    """

    def solution(chosen: Method, target: int | None = None, reason: str | None = None) -> Solution:
        trained = chosen.parameters(shape)
        return Solution(chosen, trained, shape.parameters + (trained if chosen.adds else 0), target, reason)

    if budget is None:
        return solution(method)
    target = budget.target(shape, method.adds)
    if not method.turns:
        return solution(method, target, f"{method.parameters(shape):,} trained parameters are fixed")
    smallest = sized(method, shape, 0.0)
    if smallest.parameters(shape) > target:
        return solution(smallest, target, f"smallest setting trains {smallest.parameters(shape):,} parameters")
    low, high = 0.0, 1.0
    while (grown := sized(method, shape, high)).parameters(shape) <= target:
        if grown == sized(method, shape, 2 * high) or high >= FURTHEST:
            return _largest(solution, grown, target, shape)
        low, high = high, 2 * high
    while high - low > 1e-9 * high and sized(method, shape, low) != sized(method, shape, high):
        middle = (low + high) / 2
        if sized(method, shape, middle).parameters(shape) <= target:
            low = middle
        else:
            high = middle
    return _largest(solution, sized(method, shape, low), target, shape)


def _largest(solution, chosen: Method, target: int, shape: Shape) -> Solution:
    """A solution, infeasible when every option is at its limit far below the target."""
    limits = limits_of(chosen, shape)
    at_limit = limits and all(limits.get(name) == size for name, size in sizes(chosen, shape).items())
    if at_limit and chosen.parameters(shape) < 0.9 * target:
        return solution(chosen, target, f"largest setting trains {chosen.parameters(shape):,} parameters")
    return solution(chosen, target)
