"""A folder of drawn pedestrians, and the shipped backbone as a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.datasets.synthetic import write
from harness.model.source import Source
from harness.retrieval.model import Model


@pytest.fixture(scope="package")
def drawn(tmp_path_factory) -> list[Path]:
    """Twelve images of the smallest drawn data set."""
    folder = write.ensure("cuhk", tmp_path_factory.mktemp("drawn"), "tiny")
    return sorted(folder.rglob("*.jpg"))[:12]


@pytest.fixture
def folder(drawn, tmp_path) -> Path:
    """The images, two of them one folder deeper."""
    place = tmp_path / "images"
    (place / "deeper").mkdir(parents=True)
    for number, path in enumerate(drawn):
        shutil.copy2(path, place / "deeper" / path.name if number > 9 else place / path.name)
    return place


@pytest.fixture(scope="package")
def tiny() -> Model:
    return Model.of(Source("tiny"), "cpu")
