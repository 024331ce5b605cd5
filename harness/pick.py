"""The epoch that a trial has chosen so far, and how a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.evaluate import Measured

Look = tuple[Measured, Measured]


@dataclass(frozen=True)
class Pick:
    """An epoch, its trained parameters, and its look at the split that chooses: text to image, image to text."""

    epoch: int
    state: dict[str, Tensor]
    look: Look | None = None

    @property
    def merit(self) -> tuple[float, float]:
        """What chooses an epoch: Rank-1, then mAP; the earlier epoch wins a tie."""
        return self.look[0].values["R1"], self.look[0].values["mAP"]

    def parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """JSON values and tensors, from which `whole` makes it again."""
        tensors = {f"state/{name}": value for name, value in self.state.items()}
        if self.look is None:
            return {"epoch": self.epoch, "look": None}, tensors
        plain = [{f.name: getattr(one, f.name) for f in fields(one) if f.name != "records"} for one in self.look]
        for number, one in enumerate(self.look):
            for name, column in one.records.items():
                tensors[f"{number}/{name}"] = torch.from_numpy(np.ascontiguousarray(column))
        return {"epoch": self.epoch, "look": plain}, tensors

    @classmethod
    def whole(cls, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pick:
        """What `parts` took apart."""
        groups: dict[str, dict[str, Tensor]] = {"state": {}, "0": {}, "1": {}}
        for name, value in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = value
        look = None
        if plain["look"]:
            columns = [{name: value.numpy() for name, value in groups[n].items()} for n in ("0", "1")]
            look = tuple(Measured(**one, records=own) for one, own in zip(plain["look"], columns, strict=True))
        return cls(plain["epoch"], groups["state"], look)
