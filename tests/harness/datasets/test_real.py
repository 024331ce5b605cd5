"""The loaders of the licensed sets on invented records: official quirks, and every fault refused by name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from harness.data.annotations import slice_identities
from harness.datasets import cuhk_pedes, icfg_pedes, rstpreid
from harness.errors import DataError

WORDS = ["A man in a red coat.", "He walks."]


def cuhk() -> list[dict]:
    rows = [("train", 1, "cam_a/1_0.bmp"), ("train", 1, "cam_b/1_1.bmp"), ("train", 7, "CUHK01/7_0.png"),
            ("val", 8, "Market/8_0.jpg"), ("test", 9, "CUHK03/9_0.jpg"), ("test", 9, "CUHK03/9_1.jpg")]  # fmt: skip
    return [
        {"split": s, "captions": list(WORDS), "file_path": p, "processed_tokens": [["a"], ["he"]], "id": i}
        for s, i, p in rows
    ]


def place(
    root: Path, records: object, name: str = "CUHK-PEDES", file: str = "reid_raw.json", images: bool = True
) -> Path:
    base = root / name
    base.mkdir(parents=True, exist_ok=True)
    (base / file).write_text(records if isinstance(records, str) else json.dumps(records))
    if images:
        for record in records:
            path = base / "imgs" / record.get("file_path", record.get("img_path"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return base


def refuse(root: Path, records: object, images: bool = False, **options) -> str:
    place(root, records, images=images)
    with pytest.raises(DataError) as caught:
        cuhk_pedes.load(root, **{"check_files": False, **options})
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_cuhk(tmp_path):
    base = place(tmp_path, cuhk())
    for root in (tmp_path, base, str(base)):
        splits = cuhk_pedes.load(root)
        assert list(splits) == ["train", "val", "test"]
        train = splits["train"]
        assert train.persons == ("1", "7")
        assert train.image_person.tolist() == [0, 0, 1]
        assert train.caption_image.tolist() == [0, 0, 1, 1, 2, 2]
        assert train.captions == tuple(WORDS * 3)
        assert train.path(2) == base / "imgs" / "CUHK01/7_0.png"
        assert splits["test"].caption_person.tolist() == [0, 0, 0, 0]
        assert train.image_person.dtype == train.caption_image.dtype == np.int64


def test_statistics_add_up_to_the_published_totals():
    def total(module, key):
        return sum(part[key] for part in module.STATISTICS.values())

    assert [total(cuhk_pedes, k) for k in ("ids", "images", "captions")] == [13003, 40206, 80440]
    assert [total(icfg_pedes, k) for k in ("ids", "images", "captions")] == [4102, 54522, 54522]
    assert [total(rstpreid, k) for k in ("ids", "images", "captions")] == [4101, 20505, 41010]


@pytest.mark.parametrize("file", ("ICFG-PEDES.json", "ICFG_PEDES.json"))
def test_icfg_cuts_val_off_train(tmp_path, file):
    records = [
        {"split": "train" if i < 20 else "test", "captions": [f"The man {i}."], "processed_tokens": [["the"]],
         "file_path": f"{('train', 'test')[i % 2]}/{i:04d}/{i:04d}_{k}.jpg", "id": i}
        for i in range(25) for k in range(3)
    ]  # fmt: skip
    place(tmp_path, records, "ICFG-PEDES", file)
    splits = icfg_pedes.load(tmp_path, val_share=0.25)
    assert icfg_pedes.VAL == "slice of train"
    assert [len(splits[s].persons) for s in ("train", "val", "test")] == [15, 5, 5]
    assert not set(splits["train"].persons) & set(splits["val"].persons)
    for split in splits.values():
        for caption, person in zip(split.captions, split.caption_person, strict=True):
            assert caption == f"The man {split.persons[person]}."
        for image, person in zip(split.images, split.image_person, strict=True):
            assert image.split("/")[1] == f"{int(split.persons[person]):04d}"
        assert sorted(set(split.image_person.tolist())) == list(range(len(split.persons)))
    again, other = (icfg_pedes.load(tmp_path, val_share=0.25, val_seed=seed)["val"].persons for seed in (0, 1))
    assert again == splits["val"].persons != other
    for share in (0.0, 1.0):
        with pytest.raises(DataError, match="share between 0 and 1"):
            slice_identities(splits["train"], share)


def test_rstp_has_its_own_key(tmp_path):
    records = [
        {"id": i, "img_path": f"{i:04d}_c1_0001.jpg", "captions": WORDS, "split": s}
        for i, s in enumerate(("train", "val", "test"))
    ]
    place(tmp_path, records, "RSTPReid", "data_captions.json")
    assert rstpreid.load(tmp_path)["test"].images == ("0002_c1_0001.jpg",)


def test_identities_of_any_kind_are_renumbered(tmp_path):
    records = cuhk()
    for record, identity in zip(records, (-3, -3, "p12", 70, 9, "9"), strict=True):
        record["id"] = identity
    splits = cuhk_pedes.load(place(tmp_path, records))
    assert splits["train"].persons == ("-3", "p12") and splits["test"].persons == ("9",)


FAULTS = {
    "key missing": (lambda r: r[2].pop("captions"), "record 2, captions: missing"),
    "near key": (lambda r: r[2].update(filepath=r[2].pop("file_path")), "did you mean filepath"),
    "not an object": (lambda r: r.__setitem__(3, ["x"]), "record 3: is a list"),
    "captions a string": (lambda r: r[1].update(captions="A man."), "record 1, captions: is a str"),
    "captions empty": (lambda r: r[1].update(captions=[]), "record 1, captions: is an empty list"),
    "caption empty": (lambda r: r[1].update(captions=["ok", "  "]), "captions[1]: has no words"),
    "caption of dots": (lambda r: r[1].update(captions=["..."]), "captions[0]: has no words"),
    "caption a number": (lambda r: r[1].update(captions=[3]), "captions[0]: is a int"),
    "unknown split": (lambda r: r[1].update(split="vall"), "split: is 'vall'"),
    "id a float": (lambda r: r[1].update(id=1.5), "id: is 1.5"),
    "id true": (lambda r: r[1].update(id=True), "id: is True"),
    "absolute path": (lambda r: r[1].update(file_path="/etc/passwd"), "leaves the folder"),
    "drive": (lambda r: r[1].update(file_path="C:/x.jpg"), "leaves the folder"),
    "parent": (lambda r: r[1].update(file_path="cam_a/../../x.jpg"), "leaves the folder"),
    "backslash": (lambda r: r[1].update(file_path="cam_a\\..\\x.jpg"), "leaves the folder"),
    "no path": (lambda r: r[1].update(file_path=""), "the path of an image"),
    "identity in two splits": (lambda r: r[5].update(id=7), "identity 7 is in train and in test"),
    "identity as text": (lambda r: r[5].update(id="7"), "identity 7 is in train and in test"),
    "image in two splits": (lambda r: r[5].update(file_path="cam_a/1_0.bmp"), "is in train and in test"),
    "upper and lower case": (lambda r: r[1].update(file_path="CAM_A/1_0.bmp"), "upper and lower case"),
    "no val": (lambda r: r.pop(3), "no image in split 'val'"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_refused_by_name(tmp_path, name):
    fault, message = FAULTS[name]
    records = cuhk()
    fault(records)
    assert message in refuse(tmp_path, records)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "reid_raw.json:1: not valid JSON"),
        ("{}", "holds a dict"),
        ("[]", "an empty list"),
        ('[{"a":1},\n{', "reid_raw.json:2: not valid JSON"),
    ],
)
def test_broken_json(tmp_path, text, message):
    assert message in refuse(tmp_path, text)


def test_not_utf8(tmp_path):
    place(tmp_path, "[]", images=False).joinpath("reid_raw.json").write_bytes(b'["\xff"]')
    with pytest.raises(DataError, match="not UTF-8 at byte 2"):
        cuhk_pedes.load(tmp_path)


def test_look_alike_files_are_named(tmp_path):
    place(tmp_path, "[]", file="caption_all.json", images=False)
    with pytest.raises(DataError, match=r"this is caption_all\.json.*reid_raw\.json"):
        cuhk_pedes.load(tmp_path)
    place(tmp_path, "[]", "ICFG-PEDES", "ICFG-PDES.json", images=False)
    with pytest.raises(DataError, match=r"found ICFG-PDES\.json.*ICFG-PEDES\.json"):
        icfg_pedes.load(tmp_path)
    with pytest.raises(DataError, match=r"no such folder.*reid_raw\.json in CUHK-PEDES.*academic use"):
        cuhk_pedes.load(tmp_path / "nowhere")


def test_missing_images_are_counted_by_folder(tmp_path):
    base = place(tmp_path, cuhk())
    (base / "imgs/CUHK03/9_1.jpg").unlink()
    (base / "imgs/CUHK01/7_0.png").unlink()
    (base / "imgs/CUHK01").rmdir()
    with pytest.raises(
        DataError, match=r"2 of 6 images are missing: CUHK01 1 of 1, CUHK03 1 of 2; first: CUHK01/7_0\.png"
    ):
        cuhk_pedes.load(tmp_path)
    assert len(cuhk_pedes.load(tmp_path, check_files=False)["test"].images) == 2
    left = cuhk_pedes.load(tmp_path, allow_missing=True)
    assert left["train"].persons == ("1",) and left["test"].images == ("CUHK03/9_0.jpg",)
    assert len(left["test"].captions) == 2


def test_a_folder_in_place_of_an_image_is_missing(tmp_path):
    base = place(tmp_path, cuhk())
    (base / "imgs/CUHK03/9_1.jpg").unlink()
    (base / "imgs/CUHK03/9_1.jpg").mkdir()
    with pytest.raises(DataError, match="1 of 6 images are missing"):
        cuhk_pedes.load(tmp_path)


def test_links_out_of_the_folder_and_loops_are_refused(tmp_path):
    base = place(tmp_path, cuhk())
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(b"x")
    image = base / "imgs/CUHK03/9_1.jpg"
    image.unlink()
    image.symlink_to(outside)
    with pytest.raises(DataError, match="a link that leaves the data folder"):
        cuhk_pedes.load(tmp_path)
    image.unlink()
    image.symlink_to(image)
    with pytest.raises(DataError, match=r"images are missing|loop"):
        cuhk_pedes.load(tmp_path)
    image.unlink()
    image.symlink_to(base / "imgs/CUHK03/9_0.jpg")
    assert len(cuhk_pedes.load(tmp_path)["test"].images) == 2


def test_the_whole_image_folder_may_be_a_link(tmp_path):
    base = place(tmp_path, cuhk())
    os.rename(base / "imgs", tmp_path / "elsewhere")
    (base / "imgs").symlink_to(tmp_path / "elsewhere")
    assert len(cuhk_pedes.load(tmp_path)["train"].images) == 3


def test_eighty_thousand_captions_load_quickly(tmp_path):
    records = [
        {"split": ("train", "val", "test")[(i >= 11000) + (i >= 12000)], "captions": ["A man walks by in a coat."] * 6,
         "file_path": f"cam_a/{i}.jpg", "processed_tokens": [], "id": i}
        for i in range(13500)
    ]  # fmt: skip
    place(tmp_path, records, images=False)
    began = time.perf_counter()
    splits = cuhk_pedes.load(tmp_path, check_files=False)
    assert time.perf_counter() - began < 5
    assert sum(len(s.captions) for s in splits.values()) == 81000
