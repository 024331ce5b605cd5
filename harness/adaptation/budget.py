"""From a budget of trained parameters, operations or memory to a method's integer options.

A budget is written as a share (`1%`) or a count (`2M`, `300k`, `1966128`). A share p means trained / (backbone + added)
= p, as UP-Person counts (7,419,816 of 157,037,480 is 4.7 %); `1% of backbone` means trained / backbone. The solution is
the largest setting that does not exceed the target; what was achieved is kept beside it.

Equal parameters are not equal cost, so a budget may name another mode; its share is of full fine-tuning's cost on the
same backbone, its count is absolute:

- `flops 70%`, `flops 80G`: floating-point operations of one training step per pair, forward and backward, of an image
  and a caption of full length, by torch's counter (matrix products, convolutions, attention).
- `memory 70%`, `memory 8G`: bytes in float32 that training a batch holds beyond the frozen weights: activations kept
  for the backward pass, each storage once, and 16 for each trained parameter (itself, its gradient, AdamW's two
  moments).

Both are measured on the meta device, which needs neither weights nor memory.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from harness.adaptation.method import Method, limits_of, sized, sizes, trainable
from harness.adaptation.spread import CLOSE, spread
from harness.errors import UserError, brief
from harness.model.clip import Backbone, Shape

Mode = Literal["params", "flops", "memory"]
MODES: tuple[Mode, ...] = get_args(Mode)
SAID = {"params": "trains {:,} parameters", "flops": "costs {:,} FLOPs per pair", "memory": "holds {:,} bytes"}
BATCH = 64  # pairs whose activations count as memory unless told otherwise
PER_PARAMETER = 16  # bytes: weight, gradient and AdamW's two moments in float32
LARGEST = 2**63  # of a count: beyond it no file holds it
FURTHEST = 2.0**40  # a factor at which every option has met its limit
UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@dataclass(frozen=True)
class Budget:
    """A target as it was written.

    Attributes:
        text: As written in the study.
        share: Fraction of the parameters, or of full fine-tuning's cost; None for a count.
        count: Trained parameters, FLOPs per pair or bytes; None for a share.
        of_backbone: Whether the share is of the backbone alone.
        mode: What is limited.
    """

    text: str
    share: float | None = None
    count: int | None = None
    of_backbone: bool = False
    mode: Mode = "params"

    def target(self, shape: Shape, adds: bool = True, batch: int = BATCH) -> int:
        """What is meant in the unit of the mode.

        Args:
            shape: Of the backbone.
            adds: Whether the method adds its parameters to the backbone or trains the backbone's.
            batch: Pairs in a batch; decides memory alone.
        """
        if self.count is not None:
            return self.count
        assert self.share is not None  # what is no count is a share
        if self.mode != "params":
            return math.floor(cost(None, shape, self.mode, batch) * self.share)
        whole = shape.parameters
        return math.floor(whole * self.share / (1 - self.share if adds and not self.of_backbone else 1))


@dataclass(frozen=True)
class Solution:
    """What a budget became.

    Attributes:
        method: The method with solved options; when infeasible, the nearest setting there is.
        trained: Trained parameters of `method`.
        total: Backbone and added parameters.
        target: What was asked for in the unit of `mode`, or None without a budget.
        reason: Why the target cannot be met, or None.
        mode: What the budget limits.
        achieved: What `method` has of it.
    """

    method: Method
    trained: int
    total: int
    target: int | None = None
    reason: str | None = None
    mode: Mode = "params"
    achieved: int = 0

    @property
    def error(self) -> float | None:
        """(achieved - target) / target, a fraction; None without a budget."""
        return None if self.target is None else self.achieved / self.target - 1

    @property
    def share(self) -> float:
        """Trained share of all parameters, a fraction."""
        return self.trained / self.total


def parse(text: str | int | float, where: str | None = None) -> Budget:
    """Read a budget.

    Raises:
        UserError: neither a share between 0 and 100 % nor a positive whole count below 2^63. Shares of a cost may be
            above 100 %, since a method can cost more than full fine-tuning, and go up to a million %.
    """
    written = str(text).strip()
    word, _, rest = written.partition(" ")
    named = next((mode for mode in MODES if mode == word), None)
    mode, amount = named or "params", rest.strip() if named else written
    share = re.fullmatch(r"([0-9.]+)\s*%(\s+of\s+backbone)?", amount)
    count = re.fullmatch(r"([0-9]+(?:[,_][0-9]{3})*(?:\.[0-9]+)?)\s*([kMG]?)", amount)
    try:
        highest = 100 if mode == "params" else 1_000_000
        if share and 0 < float(share[1]) < highest and (mode == "params" or not share[2]):
            return Budget(written, share=float(share[1]) / 100, of_backbone=bool(share[2]), mode=mode)
        number = Fraction(count[1].replace(",", "").replace("_", "")) * UNITS[count[2]] if count else 0
        if 1 <= number < LARGEST and number.denominator == 1:
            return Budget(written, count=int(number), mode=mode)
    except ValueError:
        pass
    expected = "a share like 4.7% or a count like 2M below 2^63, alone or after flops or memory"
    raise UserError(f"cannot read budget '{brief(written)}'", where or "budgets", expected)


def solve(method: Method, shape: Shape, budget: Budget | None, batch: int = BATCH) -> Solution:
    """The largest setting of `method` within `budget` on a backbone of this shape.

    The options in `method.turns` are scaled by one factor and rounded, so a union keeps its proportions; where that
    leaves more than 2 % of a number of parameters, some blocks get the next size (`spread.py`). A target that
    no setting meets (smaller than the smallest, or more than 10 % above the largest) gives the nearest one and the
    reason. Each setting on the way is measured once; halving the range needs about a dozen.
    """
    mode = budget.mode if budget else "params"
    target = budget.target(shape, method.adds, batch) if budget else None

    def solution(chosen: Method, reason: str = "") -> Solution:
        trained, achieved = chosen.parameters(shape), cost(chosen, shape, mode, batch)
        total = shape.parameters + (trained if chosen.adds else 0)
        said = reason.format(SAID[mode].format(achieved)) or None
        return Solution(chosen, trained, total, target, said, mode, achieved)

    if target is None:
        return solution(method)

    def fits(factor: float) -> bool:
        return cost(sized(method, shape, factor), shape, mode, batch) <= target

    if not method.turns:
        fixed = f"{method.parameters(shape):,} trained parameters are fixed"
        return solution(method, fixed if mode == "params" else "the only setting {}")
    if not fits(0.0):
        return solution(sized(method, shape, 0.0), "smallest setting {}")
    low, high = 0.0, 1.0
    while fits(high):
        low, high = high, 2 * high
        if sized(method, shape, low) == sized(method, shape, high) or low >= FURTHEST:
            break
    while high - low > 1e-9 * high and sized(method, shape, low) != sized(method, shape, high):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    chosen, following = (sized(method, shape, factor) for factor in (low, high))
    if mode == "params" and chosen != following and chosen.parameters(shape) < (1 - CLOSE) * target:
        chosen = spread(chosen, following, shape, target)
    found = solution(chosen)
    limits = limits_of(found.method, shape)
    at_limit = limits and all(limits.get(name) == size for name, size in sizes(found.method, shape).items())
    return solution(found.method, "largest setting {}") if at_limit and found.achieved < 0.9 * target else found


# What a setting costs -----------------------------------------------------------------------------------------------


def cost(method: Method | None, shape: Shape, mode: Mode, batch: int = BATCH) -> int:
    """Trained parameters, training FLOPs per pair, or bytes held in training a batch; None is full fine-tuning."""
    if mode == "params":
        return shape.parameters if method is None else method.parameters(shape)
    # The text of the options and not the method is the key: a union's are no hashable values.
    return _measured(_Kept(f"{id(type(method))} {method!r}", method), shape, mode, batch)


@dataclass(frozen=True)
class _Kept:
    """A method that is told from others by the text of its options."""

    text: str
    method: Method | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@functools.lru_cache(maxsize=4096)
def _measured(kept: _Kept, shape: Shape, mode: Mode, batch: int) -> int:
    with torch.device("meta"):
        backbone = Backbone(shape).requires_grad_(kept.method is None)
    if kept.method is not None:
        kept.method.attach(backbone)
    return training_flops(backbone) if mode == "flops" else training_bytes(backbone, batch)


def training_flops(backbone: Backbone) -> int:
    """Floating-point operations of a forward and a backward pass of one pair."""
    with FlopCounterMode(display=False) as counter:
        features = _features(backbone, 1)
        if features.requires_grad:
            features.backward()
    backbone.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def training_bytes(backbone: Backbone, batch: int) -> int:
    """Bytes of activations that a batch keeps for the backward pass, and of trained parameters with their state."""
    weights = {t.untyped_storage()._cdata for t in [*backbone.parameters(), *backbone.buffers()]}
    kept: dict[int, Tensor] = {}  # one tensor of each storage, which keeps its address from being used again

    def keep(tensor: Tensor) -> Tensor:
        if (address := tensor.untyped_storage()._cdata) not in weights:
            kept.setdefault(address, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = _features(backbone, batch)
    held = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del features
    return held + PER_PARAMETER * sum(p.numel() for p in trainable(backbone).values())


def _features(backbone: Backbone, batch: int) -> Tensor:
    """Sum of the features of some pairs of full length, where the backbone is."""
    image, text = backbone.shape.towers
    like = backbone.image.position
    images = like.new_zeros(batch, 3, *(side * image.patch for side in image.grid))
    ids = torch.ones(batch, text.tokens, dtype=torch.long, device=like.device)
    with torch.enable_grad():
        return backbone.image(images).sum() + backbone.text(ids).sum()
