"""Faults as a user meets them: a command, its exit code and the line it ends with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.datasets.synthetic import write
from harness.trial import splits

STUDY = """\
name: small
backbone: tiny
datasets: [cuhk_pedes]
methods: [bitfit]
seeds: [0]
recipe: {name: short, epochs: 1, batch: 32}
"""


def forget() -> None:
    """What a process keeps of data sets; a command line starts without."""
    for kept in (splits._splits, splits._identity, splits._part):
        kept.cache_clear()


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UPBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("UPBENCH_DATA", str(tmp_path / "data"))
    forget()

    def run(*args: str) -> tuple[int, str, str]:
        code = main.call(list(args))
        forget()
        return code, *capsys.readouterr()

    yield run
    forget()


@pytest.fixture
def study(tmp_path):
    """Write a study file with some of its lines replaced; gives its path."""

    def make(*changes: tuple[str, str]) -> str:
        text = STUDY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "small.yaml").write_text(text)
        return str(tmp_path / "small.yaml")

    return make


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    return write.ensure("cuhk", tmp_path_factory.mktemp("drawn"), "tiny") / "CUHK-PEDES"


@pytest.fixture
def cuhk(drawn, tmp_path) -> Path:
    """A folder CUHK-PEDES of drawn people that may be damaged."""
    (tmp_path / "data").mkdir()
    return Path(shutil.copytree(drawn, tmp_path / "data" / "CUHK-PEDES"))


@pytest.fixture
def edit(cuhk):
    """Change the records of the annotation file in place."""

    def change(act) -> None:
        file = cuhk / "reid_raw.json"
        records = json.loads(file.read_text())
        act(records)
        file.write_text(json.dumps(records))

    return change
