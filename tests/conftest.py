"""One torch thread everywhere, so that results do not depend on the machine's load or size."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.weights import random

torch.set_num_threads(1)


def small_shape(layers: int = 2) -> Shape:
    """Two small towers of different widths."""
    return Shape(
        TowerShape("image", 128, layers, 2, 512, 9, 64, (4, 2), 16),
        TowerShape("text", 64, layers, 1, 256, 24, 64, vocabulary=80),
        quick_gelu=True,
    )


@pytest.fixture
def small_backbone() -> Backbone:
    return random(small_shape(), seed=0)


@pytest.fixture
def small_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Images [3, 3, 64, 32] and captions of different lengths [3, 24]."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 77, (3, 24), generator=generator)
    ids[:, 0] = 78
    for row, end in zip(ids, (23, 9, 4), strict=True):
        row[end], row[end + 1 :] = 79, 0
    return torch.randn(3, 3, 64, 32, generator=generator), ids
