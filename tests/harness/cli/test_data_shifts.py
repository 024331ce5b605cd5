"""`upbench data shifts`: a sheet of every shift of images, and every caption beside it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness import registry
from harness.cli.main import call
from harness.trial import splits


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def drawn(data, *more) -> int:
    return call(["data", "shifts", "synth_cuhk", "--data", str(data), "--set", "size=tiny", *more])


def test_the_sheet_has_a_row_for_each_shift_and_the_text_a_line(data, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert drawn(data, "--out", str(out), "--image", "48x16", "--query", "3") == 0
    assert "caption 3 of test with its image " in capsys.readouterr().out
    of = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}
    caption = splits.splits(of, data)["test"].captions[3]
    lines = out.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"as it is: {caption}" and len(lines) == 1 + 5 * 10
    shifted = splits.splits({**of, "options": {"size": "tiny", "shift": "typos", "severity": 5}}, data)["test"]
    assert f"typos 5: {shifted.captions[3]}" in lines
    page = np.asarray(Image.open(out))
    pictures = [name for name in registry.names("shifts") if registry.find("shifts", name).KIND == "images"]
    assert page.shape == (39 + 56 * len(pictures), 170 + 24 * 6 + 8, 3)
    row = pictures.index("grey")
    last = page[31 + 56 * row : 31 + 56 * row + 48, 170 + 24 * 5 : 170 + 24 * 5 + 16]
    assert last.std() > 1 and np.ptp(last, axis=2).max() == 0, "the last column of grey has no colour"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--out", "a.jpg"), "cannot draw into 'a.jpg'; expected a name that ends in .png"),
        (("--out", "a.png", "--query", "9999"), "test has no caption 9999; expected at most 77"),
        (("--out", "no/such/a.png"), "cannot write: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(data, tmp_path, monkeypatch, capsys, more, said):
    monkeypatch.chdir(tmp_path)
    assert drawn(data, "--image", "48x16", *more) == 2
    assert said in capsys.readouterr().err
