"""The epoch that a trial has chosen so far, and how a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.evaluation.encode import Measured

Evaluation = tuple[Measured, Measured]


@dataclass(frozen=True)
class Selected:
    """An epoch, its trained parameters, and its evaluation on the split that chooses: text to image, image to text."""

    epoch: int
    state: dict[str, Tensor]
    evaluation: Evaluation | None = None

    @property
    def merit(self) -> tuple[float, float]:
        """What chooses an epoch: Rank-1, then mAP; the earlier epoch wins a tie."""
        assert self.evaluation is not None  # only an epoch that was looked at is compared
        rank1, mean = (self.evaluation[0].values[metric] for metric in ("R1", "mAP"))
        assert rank1 is not None and mean is not None  # both are defined in every gallery
        return rank1, mean

    def parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """JSON values and tensors, from which `whole` makes it again."""
        tensors = {f"state/{name}": value for name, value in self.state.items()}
        if self.evaluation is None:
            return {"epoch": self.epoch, "evaluation": None}, tensors
        plain = [
            {f.name: getattr(one, f.name) for f in fields(one) if f.name not in ("records", "ranks")}
            for one in self.evaluation
        ]
        for number, one in enumerate(self.evaluation):
            for name, column in {**one.records, "ranks": one.ranks}.items():
                tensors[f"{number}/{name}"] = torch.from_numpy(np.ascontiguousarray(column))
        return {"epoch": self.epoch, "evaluation": plain}, tensors

    @classmethod
    def whole(cls, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Selected:
        """What `parts` took apart."""
        groups: dict[str, dict[str, Tensor]] = {"state": {}, "0": {}, "1": {}}
        for name, value in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = value
        evaluation: Evaluation | None = None
        if plain["evaluation"]:
            columns = [{name: value.numpy() for name, value in groups[n].items()} for n in ("0", "1")]
            first, second = (
                Measured(**one, ranks=own.pop("ranks"), records=own)
                for one, own in zip(plain["evaluation"], columns, strict=True)
            )
            evaluation = first, second
        return cls(plain["epoch"], groups["state"], evaluation)
