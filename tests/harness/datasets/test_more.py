"""The loaders of UFine6926, Flickr30k and MSCOCO on invented records in their layout; faults are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.datasets import flickr30k, mscoco, ufine6926
from harness.errors import DataError

KARPATHY = ((flickr30k, "flickr30k_{}.json", "flickr30k-images"), (mscoco, "coco_{}.json", "val2014"))


def records(folder: str) -> dict[str, list]:
    """Two training images with five and three captions, out of order, one of val, two of test."""
    train = [("b", 0), ("a", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2), ("a", 3), ("a", 4)]
    return {
        "train": [
            {"image": f"{folder}/{n}.jpg", "caption": f"{n} says {k}", "image_id": f"coco_{n}"} for n, k in train
        ],
        "val": [{"image": f"{folder}/c.jpg", "caption": [f"c says {k}" for k in range(5)]}],
        "test": [{"image": f"{folder}/{n}.jpg", "caption": [f"{n} says {k}" for k in range(5)]} for n in "de"],
    }


def place(root: Path, parts: dict[str, list], module=flickr30k, form: str = "flickr30k_{}.json") -> Path:
    base = root / module.FOLDER
    base.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        (base / form.format(name)).write_text(json.dumps(rows))
        for row in rows:
            if isinstance(row, dict) and (path := row.get("image")) and ".." not in path:
                (base / path).parent.mkdir(parents=True, exist_ok=True)
                (base / path).write_bytes(b"x")
    return base


@pytest.mark.parametrize(("module", "form", "folder"), KARPATHY)
def test_each_image_is_its_own_identity(tmp_path, module, form, folder):
    base = place(tmp_path, records(folder), module, form)
    for root in (tmp_path, base, str(base)):
        splits = module.load(root)
        assert list(splits) == ["train", "val", "test"]
        train = splits["train"]
        assert train.images == (f"{folder}/b.jpg", f"{folder}/a.jpg")
        assert train.image_person.tolist() == [0, 1] and train.persons == train.images
        assert train.caption_image.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
        for split in splits.values():
            for caption, person in zip(split.captions, split.caption_person, strict=True):
                assert split.persons[person] == f"{folder}/{caption[0]}.jpg"
            assert split.path(0) == base / split.images[0]
            assert split.image_person.dtype == split.caption_image.dtype == np.int64
    assert [len(s.captions) for s in splits.values()] == [8, 5, 10]


def test_statistics_add_up_to_the_published_totals():
    def total(module, key):
        return sum(part[key] for part in module.STATISTICS.values())

    assert [total(flickr30k, k) for k in ("ids", "images", "captions")] == [31014, 31014, 155070]
    assert [total(mscoco, k) for k in ("ids", "images", "captions")] == [123287, 123287, 616767]
    assert [total(ufine6926, k) for k in ("images", "captions")] == [26206, 52412]


FAULTS = {
    "train captions a list": (
        lambda p: p["train"][1].update(caption=["a"]),
        "train.json: record 1, caption: is a list",
    ),
    "test caption a string": (lambda p: p["test"][1].update(caption="d e"), "test.json: record 1, caption: is a str"),
    "no captions": (lambda p: p["val"][0].update(caption=[]), "val.json: record 0, caption: is an empty list"),
    "caption a number": (lambda p: p["val"][0].update(caption=["a b", 3]), "record 0, caption[1]: is a int"),
    "caption of dots": (lambda p: p["train"][4].update(caption=" . "), "record 4, caption[0]: has no words"),
    "wrong key": (lambda p: p["test"][1].update(captions=p["test"][1].pop("caption")), "did you mean captions"),
    "key missing": (lambda p: p["train"][2].pop("image"), "train.json: record 2, image: missing"),
    "not an object": (lambda p: p["val"].append("x"), "val.json: record 1: is a str"),
    "no path": (lambda p: p["val"][0].update(image=""), "record 0, image: is ''"),
    "leaves the folder": (lambda p: p["test"][0].update(image="../x.jpg"), "record 0, image: leaves the folder"),
    "image in two splits": (lambda p: p["test"][0].update(image="flickr30k-images/A.jpg"), "is in train and in test"),
    "image twice in test": (lambda p: p["test"].append(p["test"][0]), "record 2, image: flickr30k-images/d.jpg has a"),
    "two numbers": (lambda p: p["train"][3].update(image_id=9), "record 3, image_id: flickr30k-images/a.jpg is image"),
    "empty": (lambda p: p["val"].clear(), "holds an empty list"),
}


def refuse(root: Path, module=flickr30k, **options) -> str:
    with pytest.raises(DataError) as caught:
        module.load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(tmp_path, fault):
    parts = records("flickr30k-images")
    plant, words = FAULTS[fault]
    plant(parts)
    place(tmp_path, parts)
    assert words in refuse(tmp_path, check_files=False)


def test_missing_files(tmp_path):
    base = place(tmp_path, records("flickr30k-images"))
    (base / "flickr30k-images/a.jpg").unlink()
    assert "1 of 5 images are missing: flickr30k-images 1 of 5; first: flickr30k-images/a.jpg" in refuse(tmp_path)
    splits = flickr30k.load(tmp_path, allow_missing=True)
    assert splits["train"].captions == ("b says 0", "b says 1", "b says 2")
    assert splits["train"].caption_person.tolist() == [0, 0, 0]
    (base / "flickr30k-images/c.jpg").unlink()
    assert "no image of split 'val' is there" in refuse(tmp_path, allow_missing=True)
    (base / "flickr30k_val.json").unlink()
    text = refuse(tmp_path)
    assert "no flickr30k_val.json; found flickr30k_test.json, flickr30k_train.json" in text and "ALBEF" in text
    assert "no such folder" in refuse(tmp_path / "nowhere")


def ufine(root: Path, change=lambda rows: None, name: str = "UFine6926_Annotations.json", images: bool = True) -> Path:
    rows = [
        {"split": "train" if i < 10 else "test", "id": i + 1, "file_path": f"images/{2 * i + k}.jpg",
         "captions": [f"Person {i + 1} walks.", f"Person {i + 1} stands."]}
        for i in range(14) for k in range(2)
    ]  # fmt: skip
    change(rows)
    base = root / "UFine6926"
    (base / "images").mkdir(parents=True, exist_ok=True)
    (base / name).write_text(json.dumps(rows))
    for row in rows if images else ():
        (base / row["file_path"]).write_bytes(b"x")
    return base


def test_ufine_cuts_val_off_train(tmp_path):
    base = ufine(tmp_path)
    for root in (tmp_path, base):
        splits = ufine6926.load(root, val_share=0.2)
        assert [len(s.persons) for s in splits.values()] == [8, 2, 4]
        assert not set(splits["train"].persons) & set(splits["val"].persons)
        for split in splits.values():
            for caption, person in zip(split.captions, split.caption_person, strict=True):
                assert caption.split()[1] == split.persons[person]
            assert split.path(0).is_file()
    assert ufine6926.VAL == "slice of train"


def test_ufine_faults(tmp_path):
    base = ufine(tmp_path / "a", lambda rows: rows[3].update(captions="One text."))
    assert "record 3, captions: is a str" in refuse(base, ufine6926)
    base = ufine(tmp_path / "b", lambda rows: rows[5].update(img_path=rows[5].pop("file_path")), images=False)
    assert "record 5, file_path: missing" in refuse(base, ufine6926)
    base = ufine(tmp_path / "c")
    (base / "images/0.jpg").unlink()
    assert "1 of 28 images are missing: images 1 of 28; first: images/0.jpg" in refuse(base, ufine6926)
    base = ufine(tmp_path / "d", name="UFine3C_Annotations.json")
    assert "the evaluation set of the same authors" in refuse(base, ufine6926)
