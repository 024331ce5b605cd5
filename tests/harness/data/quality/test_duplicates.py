"""The same picture twice: pairs of hashes against a comparison of all, and pictures in two data sets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.cli.commands.data import command
from harness.data.quality import duplicates, overlap
from harness.data.quality.check import check
from harness.datasets.synthetic import write


def hashes(count: int, flips: int, seed: int, centres: int = 20) -> np.ndarray:
    """Noisy copies of a few hashes, as crops of the same cameras give."""
    rng = np.random.default_rng(seed)
    near = np.random.default_rng(0).integers(0, 2**63, (centres, 2), dtype=np.uint64)
    found = near[rng.integers(0, centres, count)].copy()
    for row in found:
        for bit in rng.integers(0, 128, rng.integers(0, flips + 1)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return found


@pytest.mark.parametrize("bits", [0, 1, 3, 6, 7, 15])
@pytest.mark.parametrize("centres", [20, 1])
def test_all_pairs_are_found_and_no_others(bits, centres, monkeypatch):
    monkeypatch.setattr(duplicates, "CANDIDATES", 500)
    first, second = hashes(150, 10, 1, centres), hashes(120, 10, 2, centres)
    distance = np.bitwise_count(first[:, None] ^ second[None]).sum(axis=2)
    i, j = np.nonzero(distance <= bits)
    found = duplicates.near(first, second, bits)
    assert len(i) and [x.tolist() for x in found] == [i.tolist(), j.tolist(), distance[i, j].tolist()]


def test_nothing_to_compare():
    none = np.zeros((0, 2), dtype=np.uint64)
    assert all(
        len(x) == 0 for x in (*duplicates.near(none, hashes(3, 1, 0), 3), *duplicates.near(hashes(3, 1, 0), none, 3))
    )
    with pytest.raises(ValueError, match="16 bits"):
        duplicates.near(none, none, 16)


def test_few_pairs_are_compared(monkeypatch):
    """Of 4,000 x 2,000 random hashes nearly none agree in a band."""
    rng = np.random.default_rng(3)
    first, second = (rng.integers(0, 2**63, (n, 2), dtype=np.uint64) for n in (4000, 2000))
    second[7] = first[11] ^ np.uint64(5)
    compared, count = [], np.bitwise_count
    monkeypatch.setattr(np, "bitwise_count", lambda x: compared.append(len(x)) or count(x))
    assert [x.tolist() for x in duplicates.near(first, second, 6)] == [[11], [7], [4]]
    assert sum(compared) < 0.01 * 4000 * 2000


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """RSTPReid with three pictures of ICFG-PEDES: one byte for byte, one shrunk, one only mirrored."""
    root = tmp_path_factory.mktemp("two")
    icfg, rstp = (write.ensure(name, root, "tiny") for name in ("icfg", "rstp"))
    theirs = sorted((icfg / "ICFG-PEDES/imgs").rglob("*.jpg"))
    rows = json.loads((rstp / "RSTPReid/data_captions.json").read_text())
    mine = [rstp / "RSTPReid/imgs" / row["img_path"] for row in rows if row["split"] == "test"]
    shutil.copy(theirs[0], mine[0])
    with Image.open(theirs[1]) as image:
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(mine[1], "JPEG", quality=85)
    with Image.open(theirs[2]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mine[2], "JPEG")
    return icfg, rstp, theirs, mine


def test_another_data_set_shows_the_same_pictures(two):
    icfg, rstp, theirs, mine = two
    report = check("rstpreid", rstp, against={"icfg_pedes": icfg})
    told = {finding.what: finding for finding in report.findings}
    equal, near = (next(w for w in told if t in w) for t in ("icfg_pedes too, byte for byte", "like one of icfg_pedes"))
    assert equal.startswith("1 images are") and near.startswith("1 images look") and "(test - " in equal
    assert told[equal].level == told[near].level == "warning"
    assert f"{mine[0]} = {theirs[0]}" in told[equal].examples and f"{mine[1]} ~ {theirs[1]}" in told[near].examples
    assert any("cut from MSMT17" in what for what in told)
    pairs = report.json()["against"]["icfg_pedes"]
    assert [(p["exact"], p["first"], p["second"]) for p in pairs] == [
        (True, str(mine[0]), str(theirs[0])), (False, str(mine[1]), str(theirs[1])),
    ]  # fmt: skip
    assert 0 < pairs[1]["bits"] <= duplicates.NEAR and report.usable
    assert not check("rstpreid", rstp).against
    strict = check("rstpreid", rstp, against={"icfg_pedes": icfg}, near=0)
    assert len(strict.against["icfg_pedes"]) == 1


def test_the_command_compares_and_lists(two, tmp_path, monkeypatch, capsys):
    icfg, rstp, _, mine = two
    monkeypatch.chdir(tmp_path)
    given = ["data", "check", "rstpreid", "--root", str(rstp), "--against", f"icfg_pedes={icfg}"]
    assert main.call(given) == 0
    out = capsys.readouterr().out
    assert "1 images look like one of icfg_pedes" in " ".join(out.split()) and str(mine[1]) in out
    assert main.call([*given, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["against"]["icfg_pedes"]) == 2
    assert main.call([*given, "--near", "0", "--json"]) == 0
    assert [p["exact"] for p in json.loads(capsys.readouterr().out)["against"]["icfg_pedes"]] == [True]
    assert next(p.default for p in command.commands["check"].params if p.name == "near") == duplicates.NEAR
    assert main.call([*given[:-1], "icfg_pedse"]) == 2
    assert "did you mean icfg_pedes" in capsys.readouterr().err
    assert main.call([*given[:-1], "icfg_pedes=nowhere"]) == 4
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_known_overlaps_are_told_in_either_order_without_torch():
    code = (
        "import sys; from harness.data.quality import overlap as o; "
        "print(o.between('icfg_pedes', 'rstpreid') is not None, o.between('rstpreid', 'icfg_pedes') is not None, "
        "o.between('cuhk_pedes', 'rstpreid'), o.between('gone', 'rstpreid'), 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", "True", "None", "None", "False"]
    assert overlap.between("rstpreid", "icfg_pedes").startswith("rstpreid and icfg_pedes: both were cut from MSMT17")
