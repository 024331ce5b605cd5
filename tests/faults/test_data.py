"""Faults 7 to 19: what lies on the disk."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.timeout(60)


def first(records: list[dict], split: str) -> dict:
    return next(record for record in records if record["split"] == split)


def refused(call, study, words: str, code: int = 4) -> None:
    """A plan of a study on the damaged set ends with the code, one line and these words, and nothing is written."""
    got, out, err = call("plan", study(), "--no-probe")
    assert got == code and len(err.splitlines()) == 1 and re.search(words, err), err
    assert not out and not Path("store").exists()


def test_a_missing_root_says_what_is_needed_and_where_it_comes_from(call, study):
    refused(call, study, r"CUHK-PEDES: no such folder; expected reid_raw\.json in CUHK-PEDES.*ask the authors")


def test_a_look_alike_is_called_by_its_name(call, study, cuhk):
    (cuhk / "reid_raw.json").rename(cuhk / "caption_all.json")
    refused(call, study, r"this is caption_all\.json.*reid_raw\.json of the same download")


def test_missing_images_are_counted_by_folder_and_allowed_on_request(call, study, cuhk):
    shutil.rmtree(cuhk / "imgs" / "Market")
    refused(call, study, r"(\d+) of \d+ images are missing: Market \1 of \1; first: Market/")
    path = study(("[cuhk_pedes]", "[{cuhk_pedes: {allow_missing: true}}]"))
    code, _, err = call("run", path, "--executor", "serial")
    assert code == 0, err
    from harness.store.store import Store

    (options,) = Store("store").read("small").trials["dataset_options"]
    assert json.loads(options) == {"allow_missing": True}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"split": "train",', r"reid_raw\.json:1: not valid JSON"),
        ("{}", "holds a dict"),
        ('{"images": []}', "holds a dict"),
        ("[]", "an empty list"),
    ],
)
def test_an_annotation_file_that_is_no_list_of_records(call, study, cuhk, text, words):
    (cuhk / "reid_raw.json").write_text(text)
    refused(call, study, words)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda r: r[3].pop("captions"), "record 3, captions: missing"),
        (lambda r: r[3].update(captions="A man."), "record 3, captions: is a str"),
        (lambda r: r[3].update(id=1.5), "record 3, id: is 1.5"),
        (lambda r: r[3].update(captions=["  "]), r"record 3, captions\[0\]: has no words"),
        (lambda r: r[3].update(captions=["..!"]), r"record 3, captions\[0\]: has no words"),
        (lambda r: first(r, "test").update(id=first(r, "train")["id"]), r"identity 1 is in train and in test"),
        (lambda r: first(r, "test").update(file_path=first(r, "train")["file_path"]), "is in train and in test"),
        (lambda r: r[3].update(split="vall"), "split: is 'vall'"),
        (lambda r: [x.update(split="train") for x in r if x["split"] == "val"], "no image in split 'val'"),
        (lambda r: r[3].update(file_path="/etc/passwd"), "leaves the folder"),
        (lambda r: r[3].update(file_path="../../x.jpg"), "leaves the folder"),
        (lambda r: r[3].update(file_path=r[0]["file_path"].swapcase()), "differ in upper and lower case only"),
    ],
    ids=["key", "string", "type", "blank", "dots", "identity", "image", "split", "val", "absolute", "parent", "case"],
)
def test_a_record_is_refused_with_its_number_and_key(call, study, edit, act, words):
    edit(act)
    refused(call, study, words)


def test_not_utf8_is_told_with_the_byte(call, study, cuhk):
    (cuhk / "reid_raw.json").write_bytes(b'[{"captions": ["\xff"]}]')
    refused(call, study, "not UTF-8 at byte 16")


def test_a_link_out_of_the_data_and_a_loop_are_refused(call, study, cuhk, tmp_path):
    image = next((cuhk / "imgs").rglob("*.jpg"))
    image.replace(tmp_path / "outside.jpg")
    image.symlink_to(tmp_path / "outside.jpg")
    refused(call, study, "a link that leaves the data folder")
    image.unlink()
    image.symlink_to(image.name)
    refused(call, study, "1 of .* images are missing|loop")


def spoil(cuhk: Path, kind: str) -> str:
    """Damage the first training image; its name."""
    record = first(json.loads((cuhk / "reid_raw.json").read_text()), "train")
    path = cuhk / "imgs" / record["file_path"]
    whole = path.read_bytes()
    if kind == "bomb":
        Image.fromarray(np.zeros((9000, 9000), dtype=np.uint8)).save(path, "PNG")
    elif kind == "pixel":
        Image.fromarray(np.zeros((1, 1, 3), dtype=np.uint8)).save(path, "PNG")
    elif kind == "strip":
        Image.fromarray(np.zeros((900, 8, 3), dtype=np.uint8)).save(path, "PNG")
    else:
        tenth = len(whole) // 10  # half of so small a file is its header, the last tenth is pixels
        torn = {"header": whole[: 5 * tenth], "cut": whole[: 9 * tenth]}
        path.write_bytes({**torn, "empty": b"", "text": b"no image at all"}[kind])
    return record["file_path"]


@pytest.mark.parametrize("kind", ["header", "cut", "empty", "text", "bomb", "pixel", "strip"])
def test_an_image_that_cannot_be_read_is_never_trained_on(call, study, cuhk, kind):
    name = spoil(cuhk, kind)
    code, out, err = call("data", "check", "cuhk_pedes")
    assert code == 4 and len(err.splitlines()) == 1 and name.rsplit("/")[-1] in "".join(out.split()), (out, err)
    code, _, err = call("run", study(), "--executor", "serial")
    assert code == 5 and "1 trials failed" in err
    _, out, _ = call("status", "small", "--json")
    assert name in out


def test_modes_and_orientation_are_converted_and_counted(call, study, cuhk):
    paths = sorted((cuhk / "imgs").rglob("*.jpg"))[:4]
    for path, mode in zip(paths, ("L", "CMYK", "P", "RGBA"), strict=True):
        image = Image.open(path).convert(mode)
        image.save(path, "JPEG" if mode in ("L", "CMYK") else "PNG")
    code, out, err = call("data", "check", "cuhk_pedes", "--json")
    text = json.dumps(json.loads(out)["findings"])
    assert code == 0 and all(mode in text for mode in ("CMYK", "RGBA")), (text, err)
    assert call("run", study(), "--executor", "serial")[0] == 0


def test_duplicates_are_told(call, cuhk, edit):
    def twice(records):
        same = [r for r in records if r["split"] == "train"][:2]
        shutil.copy(cuhk / "imgs" / same[0]["file_path"], cuhk / "imgs" / same[1]["file_path"])
        same[1]["captions"] = same[0]["captions"]

    edit(twice)
    code, out, _ = call("data", "check", "cuhk_pedes")
    text = " ".join(out.split())
    assert code == 0 and "under two names" in text and "captions of train repeat another one" in text, text


def test_captions_over_the_context_are_counted(call, study, edit):
    edit(lambda r: first(r, "train").update(captions=["red coat " * 80, "A man."]))
    code, out, _ = call("data", "check", "cuhk_pedes", "--json")
    assert code == 0 and json.loads(out)["tokens"]["train"]["over"] > 0
    assert call("run", study(), "--executor", "serial")[0] == 0
    from harness.store.store import Store

    trials = Store("store").read("small").trials
    columns = [c for c in trials if "truncat" in c or "cut" in c]
    assert columns and trials[columns[0]].iloc[0] >= 1, list(trials)


def test_data_that_changed_since_a_run_are_another_trial(call, study, edit):
    assert call("run", study(), "--executor", "serial")[0] == 0
    edit(lambda r: first(r, "train").update(captions=["A man in red.", "He walks."]))
    code, out, err = call("plan", study(), "--no-probe", "--json")
    assert code == 0 and [row["state"] for row in json.loads(out)["trials"]] == ["to run"], err
