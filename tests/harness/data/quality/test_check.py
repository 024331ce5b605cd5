"""`check` on a drawn set with one planted fault at a time, and on counts that differ from the published ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.quality import captions
from harness.data.quality.check import check
from harness.data.quality.faults import Finding
from harness.datasets import cuhk_pedes, icfg_pedes
from harness.datasets.synthetic import write

SIZE = {"size": "tiny"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return write.ensure("rstp", tmp_path_factory.mktemp("made"), "tiny")


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def images(folder: Path, split: str) -> list[Path]:
    rows = json.loads((folder / "RSTPReid/data_captions.json").read_text())
    return [folder / "RSTPReid/imgs" / r["img_path"] for r in rows if r["split"] == split]


def found(folder: Path, text: str, level: str, **options) -> Finding:
    report = check("synth_rstp", folder, SIZE, **options)
    match = [f for f in report.findings if text in f.what]
    assert len(match) == 1 and match[0].level == level, report.findings
    assert report.usable == (level == "warning")
    return match[0]


def test_a_sound_set(made):
    report = check("synth_rstp", made, SIZE, tokens=lambda caption: 2 + len(caption.split()), decode=True)
    assert report.usable and not [f for f in report.findings if "repeat" not in f.what]
    assert report.counts["test"] == {"ids": 12, "images": 36, "captions": 72}
    assert report.ladder["chance"]["R1"] < report.ladder["attributes"]["R1"]
    assert report.unit == "tokens" and report.tokens["test"]["mean"] > 25
    sections = [row[0] for row in report.rows()]
    assert sections.count("counts") == 3 and sections.count("oracle") == 3 and sections[-1] == "usable"
    assert json.loads(json.dumps(report.json()))["usable"] is True


def test_length_of_captions_is_measured(made):
    report = check("synth_rstp", made, SIZE, tokens=lambda caption: 100 if "man" in caption.split() else 50)
    for part in report.tokens.values():
        assert part["max"] == 100 and 0 < part["over"] < 1
        assert part["mean"] == pytest.approx(50 + 50 * part["over"])


def test_missing_images(folder):
    images(folder, "test")[0].unlink()
    assert "1 of 132 images are missing: . 1 of 132" in found(folder, "missing", "error").what


@pytest.mark.parametrize("decode", (False, True))
@pytest.mark.parametrize("damage", ("empty", "text", "cut", "tiny"))
def test_unreadable_images(folder, damage, decode):
    path = images(folder, "train")[0]
    if damage == "tiny":
        Image.new("RGB", (1, 1)).save(path)
    else:
        path.write_bytes({"empty": b"", "text": b"no image", "cut": path.read_bytes()[:-300]}[damage])
    finding = found(folder, "cannot be read", "error", decode=decode)
    assert path.name in finding.examples[0]


def test_a_jpeg_without_its_end_is_told_though_it_decodes(folder):
    path = images(folder, "train")[0]
    whole = path.read_bytes()
    assert whole.endswith(b"\xff\xd9")
    for count in (1, 2):
        path.write_bytes(whole[:-count])
        assert found(folder, "cannot be read", "error").examples == (f"{path}: the end is missing",)
    path.write_bytes(whole + b"\0" * 40)  # what cameras put behind the end is no fault
    assert check("synth_rstp", folder, SIZE).usable


@pytest.mark.parametrize("decode", (False, True))
def test_conversions_are_counted(folder, decode):
    paths = images(folder, "train")
    Image.open(paths[0]).convert("L").save(paths[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(paths[1]).save(paths[1], exif=exif)
    assert found(folder, "conversion: L", "warning", decode=decode)
    assert found(folder, "conversion: orientation", "warning", decode=decode)


def test_same_image_in_two_splits_is_an_error(folder):
    shutil.copy(images(folder, "train")[0], images(folder, "test")[0])
    assert "(train, test)" in found(folder, "in two splits, byte for byte", "error").examples[0]


def test_same_image_of_two_people_and_under_two_names(folder):
    train = images(folder, "train")
    shutil.copy(train[0], train[-1])
    shutil.copy(train[3], train[4])
    assert "(identities 0, 23)" in found(folder, "two identities", "warning").examples[0]
    assert train[4].name in found(folder, "two names", "warning").examples[0]


def test_recompressed_image_in_two_splits_looks_alike(folder):
    source, target = images(folder, "train")[5], images(folder, "test")[5]
    Image.open(source).save(target, quality=88)
    finding = found(folder, "look alike", "warning")
    assert finding.what.startswith("1 pairs") and source.name in finding.examples[0]


def _edit(folder: Path, change) -> None:
    file = folder / "RSTPReid/data_captions.json"
    rows = json.loads(file.read_text())
    change(rows)
    file.write_text(json.dumps(rows))


def test_captions(folder):
    def change(rows):
        rows[0]["captions"][0] = "A man\x07 in black."
        rows[1]["captions"][0] = rows[1]["captions"][1]

    _edit(folder, change)
    assert "1 captions of train have control characters" in found(folder, "control", "warning").what
    assert found(folder, "of train repeat another one", "warning")


def test_captions_of_several_identities_are_named(folder):
    def change(rows):
        first, last = rows[0], next(row for row in rows if row["id"] != rows[0]["id"] and row["split"] == "train")
        last["captions"][0] = first["captions"][0].upper()

    _edit(folder, change)
    finding = found(folder, "several identities", "warning")
    assert finding.what == "1 captions of train are given to several identities (2 of them)"
    assert "(identities 0, 1)" in finding.examples[0]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A man in a bl\u0430ck coat.", "1 captions of train have letters of another script"),  # a Cyrillic a
        ("穿黑色外套的男人 walks.", "1 captions of train have letters of another script"),
        ("A man &amp; a dog.", "1 captions of train have pieces of code"),
        ("A man in <b>black</b>.", "1 captions of train have pieces of code"),
        ("See https://example.org/1.jpg for him.", "1 captions of train have pieces of code"),
        ('{"caption": "a man"}', "1 captions of train have pieces of code"),
        ("A man named Jos\\u00e9.", "1 captions of train have pieces of code"),
    ],
)
def test_odd_captions_are_counted_with_the_first(folder, caption, words):
    _edit(folder, lambda rows: rows[2]["captions"].__setitem__(0, caption))
    finding = found(folder, words.split("have ")[1], "warning")
    assert finding.what == words and finding.examples[0].startswith("caption ") and caption[:10] in finding.examples[0]


@pytest.mark.parametrize("caption", ["José wears a naïve coat, size < 40 & > 30.", "A man; 5’10”, 50 % grey – no?"])
def test_ordinary_captions_are_not_odd(caption):
    assert not any(odd(caption) for odd in captions.KINDS.values())


def test_empty_caption_and_shared_identity_stop_it(folder):
    _edit(folder, lambda rows: rows[0]["captions"].__setitem__(0, " "))
    assert found(folder, "has no words", "error")
    shutil.rmtree(folder)


def test_identity_in_two_splits(folder):
    _edit(folder, lambda rows: rows[-1].update(id=0))
    assert found(folder, "identity 0 is in train and in test", "error")


def test_twice_listed_image(folder):
    _edit(folder, lambda rows: rows[1].update(img_path=rows[0]["img_path"]))
    assert found(folder, "listed more than once", "warning")


def test_counts_are_compared_with_the_published_ones(made, tmp_path, monkeypatch):
    noise = np.random.Generator(np.random.PCG64(0))
    rows = []
    for k, split in enumerate(("train", "train", "val", "test")):
        path = tmp_path / "CUHK-PEDES/imgs/cam_a" / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 255, (40, 16, 3), dtype=np.uint8)).save(path)
        rows.append({"split": split, "id": k, "file_path": f"cam_a/{k}.jpg", "captions": [f"A man {k}."]})
    (tmp_path / "CUHK-PEDES/reid_raw.json").write_text(json.dumps(rows))
    report = check("cuhk_pedes", tmp_path)
    assert "train has 2 ids, published 11,003" in [f.what for f in report.findings]
    assert len(report.findings) == 9 and report.usable
    sizes = {s: {"ids": n, "images": n, "captions": n} for s, n in (("train", 2), ("val", 1), ("test", 1))}
    monkeypatch.setattr(cuhk_pedes, "STATISTICS", sizes)
    assert not check("cuhk_pedes", tmp_path).findings


def test_a_slice_of_train_counts_as_train(made, tmp_path, monkeypatch):
    folder = write.ensure("icfg", tmp_path, "tiny")
    monkeypatch.setattr(
        icfg_pedes,
        "STATISTICS",
        {"train": {"ids": 32, "images": 96, "captions": 96}, "test": {"ids": 12, "images": 48, "captions": 48}},
    )
    report = check("icfg_pedes", folder)
    assert not [f for f in report.findings if "published" in f.what]
    assert "(slice of train)" in next(row[2] for row in report.rows() if row[1] == "val")


def test_nothing_there(tmp_path):
    report = check("cuhk_pedes", tmp_path / "nowhere")
    assert not report.usable and "no such folder" in report.findings[0].what
    assert report.rows()[-1] == ("usable", "", "no")
