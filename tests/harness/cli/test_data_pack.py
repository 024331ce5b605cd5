"""`upbench data pack` as its users see it."""

from __future__ import annotations

import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.model.weights import Source
from harness.trial import splits


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        code = main.call(["data", "pack", *args])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def flickr(tmp_path):
    base = tmp_path / "elsewhere" / "Flickr30k"
    (base / "flickr30k-images").mkdir(parents=True)
    modes = {"train": ["RGB", "L", "CMYK", "L"], "val": ["RGB"], "test": ["RGBA"]}
    for split, kinds in modes.items():
        rows = []
        for k, mode in enumerate(kinds):
            name = f"flickr30k-images/{split}{k}." + ("png" if mode == "RGBA" else "jpg")
            Image.new(mode, (20, 30)).save(base / name)
            rows.append({"image": name, "caption": "a dog" if split == "train" else ["a dog"], "image_id": k})
        (base / f"flickr30k_{split}.json").write_text(json.dumps(rows))
    return base


def test_pack_says_what_it_made(call, flickr, tmp_path):
    code, out, err = call("flickr30k", "--root", str(flickr), "--image", "24x8", "--json")
    assert code == 0 and not err
    found = json.loads(out)
    rows = {row["split"]: row for row in found["splits"]}
    assert [rows[s]["images"] for s in ("train", "val", "test")] == [4, 1, 1]
    assert [rows[s]["bytes"] for s in ("train", "val", "test")] == [4 * 576, 576, 576]
    assert [rows[s]["converted"] for s in rows] == [{"CMYK": 1, "L": 2}, {}, {"transparency": 1}]
    assert found["size"] == [24, 8] and all(row["seconds"] > 0 for row in rows.values())
    packs = sorted((tmp_path / "data/.cache/images").glob("*/images.npy"))
    assert sorted(len(np.load(p)) for p in packs) == [1, 1, 4]
    before = [(p, p.stat().st_mtime_ns) for p in packs]
    code, out, _ = call("flickr30k", "--root", str(flickr), "--image", "24x8")
    assert code == 0 and "flickr30k at 24x8 is in data/.cache/images (3,456 bytes)" in out
    assert "there" in out and out.endswith("nothing was decoded\n")
    assert "CMYK 1, L 2" in out and max(map(len, out.splitlines())) <= 80
    assert [(p, p.stat().st_mtime_ns) for p in packs] == before


def test_trials_read_what_was_packed(call, flickr, tmp_path):
    assert call("flickr30k", "--root", str(flickr), "--backbone", "tiny")[0] == 0
    packs = set((tmp_path / "data/.cache/images").iterdir())
    dataset = {"dataset": "flickr30k", "options": {"root": str(flickr)}}
    for name in ("train", "val", "test"):
        splits.part(dataset, tmp_path / "data", name, Source("tiny"))
    assert set((tmp_path / "data/.cache/images").iterdir()) == packs


@pytest.mark.parametrize("size", ["24", "24x", "0x8", "24x8x3", "-24x8", "24*8"])
def test_sizes_that_cannot_be_read(call, flickr, size):
    code, _, err = call("flickr30k", "--root", str(flickr), f"--image={size}")
    assert code == 2 and f"cannot read image size '{size}'" in err and len(err.splitlines()) == 1


def test_unreadable_images_end_in_4_and_are_listed(call, flickr):
    (flickr / "flickr30k-images/train2.jpg").write_bytes(b"no picture")
    code, _, err = call("flickr30k", "--root", str(flickr), "--image", "24x8")
    assert code == 4 and "1 of 4 images unreadable: flickr30k-images/train2.jpg" in err


def test_missing_images_end_in_4(call, flickr):
    (flickr / "flickr30k-images/val0.jpg").unlink()
    code, _, err = call("flickr30k", "--root", str(flickr), "--image", "24x8")
    assert code == 4 and "1 of 6 images are missing" in err


def test_speed_is_told_as_one_ratio_of_this_run(call, flickr, monkeypatch):
    monkeypatch.setattr("harness.data.pipeline.pack.through", lambda array: time.sleep(0.01))
    code, out, _ = call("flickr30k", "--root", str(flickr), "--image", "24x8")
    ratio = re.search(r"a pass over 6 images: ([0-9,]+) times the speed of decoding them, in this run", out)
    assert code == 0 and ratio and "images/s" in out
    rows = json.loads(call("flickr30k", "--root", str(flickr), "--image", "26x8", "--json")[1])["splits"]
    assert all(row["decoded"] == row["images"] and row["seconds_decoding"] > 0 for row in rows)
    assert all(row["seconds_reading"] >= 0.01 for row in rows)


def test_a_bar_is_drawn_on_a_terminal_only(call, flickr, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", shown)
        assert call("flickr30k", "--root", str(flickr), "--image", "24x8")[0] == 0
    assert "4/4" in shown.getvalue()
    code, _, err = call("flickr30k", "--root", str(flickr), "--image", "28x8")
    assert code == 0 and err == ""
