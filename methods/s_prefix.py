"""S-Prefix: prefix tuning with boosted attention to the prefix (UP-Person, equations 15 and 16).

The attention that falls on the prefix is multiplied by a trained S_p, one per block and tower; vanilla prefixes learn
slowly because little attention falls on them (equations 13 and 14). S_p starts at 10 in the paper and at 100 in the
released code, which also trains one scalar on the keys and one on the values. See `methods/prefix.py` for the formula.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from harness.adaptation.method import options
from methods import prefix


@options
class Method(prefix.Method):
    scale: Annotated[float, Field(gt=0)] = 10.0
    learn_scale: bool = True
    bank_scalars: bool = True

    reference: ClassVar[str] = "https://arxiv.org/abs/2504.10084"
