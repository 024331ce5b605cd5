"""Drawn data sets of the smallest size, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datasets.synthetic import write


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def folders(data) -> dict[str, Path]:
    return {name: write.ensure(name, data, "tiny") for name in ("broad", "cuhk", "icfg", "rstp")}
