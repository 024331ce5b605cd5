"""Drawn people in the file layouts of the licensed sets, under the folders that the studies look for."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.synthetic import write


@pytest.fixture(scope="session")
def licensed(tmp_path_factory):
    """A data folder with CUHK-PEDES, ICFG-PEDES and RSTPReid, tiny."""
    root, drawn = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("drawn")
    for name, folder in (("cuhk", "CUHK-PEDES"), ("icfg", "ICFG-PEDES"), ("rstp", "RSTPReid")):
        shutil.move(write.ensure(name, drawn, "tiny") / folder, root / folder)
    return root
