"""Recipes: how a trial is trained, with every value written out; named ones carry their source."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Loss = Literal["cmpm", "id", "itc", "mlm", "sdm", "triplet"]  # those of `harness.losses`
HEADS = ("classifier", "interaction", "cross", "mlm_head")  # parts of names that only parameters of heads have


class Value(BaseModel):
    """A frozen, strict value: unknown keys and implicit conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Recipe(Value):
    """Everything that training depends on besides the method, the data and the seed.

    Durations are in epochs, a pass over all training captions.
    """

    name: str = "default"
    epochs: Annotated[int, Field(ge=0)] = 60
    batch: Annotated[int, Field(ge=1)] = 128
    lr: Positive = 1e-3
    optimizer: Literal["adam", "adamw"] = "adam"
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 4e-5  # not on biases
    warmup_epochs: Annotated[float, Field(ge=0)] = 5
    warmup_factor: Share = 0.1  # of lr, at the first step
    schedule: Literal["cosine", "constant"] = "cosine"
    schedule_per: Literal["epoch", "step"] = "epoch"
    losses: Annotated[tuple[Loss, ...], Field(min_length=1)] = ("sdm",)
    temperature: Positive = 0.02
    augmentation: str = "irra"
    mask_captions: Share = 0.0  # share of caption tokens masked, BERT-style, for every loss
    mlm_share: Annotated[float, Field(gt=0, le=1)] = 0.15  # of tokens masked for `mlm` alone, if `mask_captions` is 0
    interaction: Annotated[int, Field(ge=0)] = 4  # blocks between both towers' tokens and the masked words, for `mlm`
    sampler: Literal["random", "identity"] = "random"
    instances: Annotated[int, Field(ge=2)] = 4  # captions of one identity in a batch, for the identity sampler
    lr_factors: dict[str, Positive] = {}  # part of a parameter's name -> factor on lr, first match counts
    clip_gradient: Positive | None = None  # norm
    evaluate_every: Annotated[int, Field(ge=1)] = 1
    # auto: float32 on CPU, bf16 autocast on GPU; fp16-reference: as the released code, see harness.half
    precision: Literal["auto", "float32", "bf16", "fp16-reference"] = "auto"
    checkpointing: bool = False  # recompute activations in the backward pass
    compile: bool = False  # torch.compile each block
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
        if twice := next((name for name in self.losses if self.losses.count(name) > 1), None):
            raise ValueError(f"loss '{twice}' is named twice")
        return self


# Each with its source; what is not named there has the value of `Recipe`.
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    # Liu et al., arXiv 2504.10084, with the constants of the released code: Adam, eps 1e-3, 60 epochs, SDM only.
    "up_person": {"eps": 1e-3},
    # Jiang and Ye, CVPR 2023 (IRRA), released code with the command of its README: for full fine-tuning at 1e-5, batch
    # 64, warm-up from 1e-6, five times the rate for what starts at random, twice for biases. There the masked captions
    # are fed to every loss; `mask_captions: 0` is the paper's text, which masks for `mlm` alone.
    "irra": {
        "batch": 64,
        "lr": 1e-5,
        "eps": 1e-3,
        "losses": ("sdm", "id", "mlm"),
        "mask_captions": 0.15,
        "lr_factors": {"classifier": 5.0, "mlm_head": 5.0, "bias": 2.0, "cross": 5.0},
    },
    # Cao et al., AAAI 2024 (TBPS-CLIP): a short schedule of five epochs.
    "tbps_clip": {"epochs": 5, "lr": 1e-5, "batch": 80, "optimizer": "adamw", "weight_decay": 0.02, "warmup_epochs": 1},
    # For small backbones and stand-in data: a few epochs, stepwise schedule, light augmentation.
    "short": {
        "epochs": 4,
        "batch": 64,
        "warmup_epochs": 0.5,
        "schedule_per": "step",
        "augmentation": "flip",
        "optimizer": "adamw",
    },
}
