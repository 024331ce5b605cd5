"""Recipes: how a trial is trained, with every value written out; named ones are files with their source."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML

from harness import registry
from harness.data.pipeline.presets import PRESETS

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
AVERAGE = r"([2-9]|[1-9][0-9]+) epochs|decay (0\.[0-9]*[1-9])"  # one spelling for each value
HEADS = ("classifier", "interaction", "cross", "mlm_head")  # parts of names that only parameters of heads have


def _loss(name: str) -> str:
    return _one_of(name, registry.names("losses"))


def _augmentation(name: str) -> str:
    return _one_of(name, list(PRESETS))


def _one_of(name: str, known: list[str]) -> str:
    if name not in known:
        raise PydanticCustomError("literal_error", "input should be {expected}", {"expected": _choice(known)})
    return name


def _average(value: Any) -> Any:
    if not (isinstance(value, str) and re.fullmatch(AVERAGE, value)):
        raise ValueError("expected `2 epochs` or more, or a decay below 1 as `decay 0.99`")
    return value


def averaged(text: str) -> tuple[int, float | None]:
    """Epochs and decay of a recipe's `average`, of which it has one; 0 epochs beside a decay."""
    found = re.fullmatch(AVERAGE, text)
    assert found is not None  # a recipe has no other
    return int(found[1] or 0), None if found[2] is None else float(found[2])


def _choice(names: list[str]) -> str:
    *most, last = (f"'{name}'" for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def _no_number(value: Any) -> Any:
    if type(value) is int:  # 1 equals True
        raise PydanticCustomError("literal_error", "input should be {expected}", {"expected": "True, False or 'auto'"})
    return value


Compile = Annotated[Literal[True, False, "auto"], BeforeValidator(_no_number)]
Loss = Annotated[str, AfterValidator(_loss)]  # a file of `losses/`, or of another package
Augmentation = Annotated[str, AfterValidator(_augmentation)]  # of `PRESETS`
Average = Annotated[
    str, BeforeValidator(_average), WithJsonSchema({"type": "string", "pattern": f"^({AVERAGE})$"})
]  # see `average.py`


class Value(BaseModel):
    """A frozen, strict value: unknown keys, implicit conversions and infinite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Recipe(Value):
    """Everything that training depends on besides the method, the data and the seed.

    Durations are in epochs, a pass over all training captions.
    """

    name: str = "default"
    epochs: Annotated[int, Field(ge=0, le=1_000_000)] = 60
    batch: Annotated[int, Field(ge=1)] = 128
    lr: Positive = 1e-3
    optimizer: Literal["adam", "adamw"] = "adam"
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 4e-5  # not on biases
    warmup_epochs: Annotated[float, Field(ge=0)] = 5
    warmup_factor: Share = 0.1  # of lr, at the first step
    schedule: Literal["cosine", "constant"] = "cosine"
    schedule_per: Literal["epoch", "step"] = "epoch"
    losses: Annotated[tuple[Loss, ...], Field(min_length=1)] = ("sdm",)
    temperature: Positive = 0.02
    augmentation: Augmentation = "irra"
    mask_captions: Share = 0.0  # share of caption tokens masked, BERT-style, for every loss
    mlm_share: Annotated[float, Field(gt=0, le=1)] = 0.15  # of tokens masked for `mlm` alone, if `mask_captions` is 0
    interaction: Annotated[int, Field(ge=0, le=64)] = (
        4  # blocks between both towers' tokens and masked words, for `mlm`
    )
    sampler: Literal["random", "identity"] = "random"
    instances: Annotated[int, Field(ge=2)] = 4  # captions of one identity in a batch, for the identity sampler
    lr_factors: dict[str, Positive] = {}  # part of a parameter's name -> factor on lr, first match counts
    clip_gradient: Positive | None = None  # norm
    average: Average | None = None  # what is measured and kept: the last step, or a mean of `2 epochs` or `decay 0.99`
    evaluate_every: Annotated[int, Field(ge=1)] = 1
    # auto: float32 on CPU, bf16 autocast on GPU; fp16-reference: as the released code, see harness.model.half_precision
    precision: Literal["auto", "float32", "bf16", "fp16-reference"] = "auto"
    checkpointing: bool = False  # recompute activations in the backward pass
    compile: Compile = False  # torch.compile each block; auto: on a GPU, where it pays
    micro_batch: Annotated[int, Field(ge=1)] | None = None  # pairs per forward pass to start with; None: the batch

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """JSON and YAML write tuples as lists."""
        return (
            {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()} if isinstance(given, dict) else given
        )

    def bf16(self, device: str) -> bool:
        """Whether towers run in bfloat16 autocast on a device of this type."""
        return self.precision == "bf16" or (self.precision == "auto" and device == "cuda")

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.sampler == "identity" and self.batch % self.instances:
            raise ValueError(f"batch {self.batch} is no multiple of instances {self.instances}")
        if self.precision == "fp16-reference" and self.eps < 1e-4:
            raise ValueError(f"eps {self.eps:g} vanishes in float16: precision fp16-reference wants the released 1e-3")
        if self.average and (last := averaged(self.average)[0]) > self.epochs:
            raise ValueError(f"average of {last} epochs, but epochs is {self.epochs}")
        if twice := next((name for name in self.losses if self.losses.count(name) > 1), None):
            raise ValueError(f"loss '{twice}' is named twice")
        return self


def named(name: str) -> dict[str, Any]:
    """What a named recipe sets, as its file in `recipes/` says; the rest has the values of `Recipe`.

    Raises:
        UserError: no such recipe, with the nearest known one.
    """
    return dict(_read(registry.source("recipes", name)))


@functools.cache
def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
