"""Drawn data sets on disk: same bytes from the same seed, official schemas, noise, knobs.

Expected values come from the published key sets (hand-copied) and from closed forms.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from harness import registry
from harness.datasets.synthetic import VERSION, oracle, write
from harness.datasets.synthetic.domains import DOMAINS
from harness.errors import UserError

NAMES = ("broad", "cuhk", "icfg", "rstp")
KEYS = {
    "cuhk": {"split", "captions", "file_path", "processed_tokens", "id"},
    "icfg": {"split", "captions", "file_path", "processed_tokens", "id"},
    "rstp": {"id", "img_path", "captions", "split"},
}
FILES = {
    "cuhk": "CUHK-PEDES/reid_raw.json",
    "icfg": "ICFG-PEDES/ICFG-PEDES.json",
    "rstp": "RSTPReid/data_captions.json",
}


def manifest(folder: Path) -> dict:
    return json.loads((folder / write.MANIFEST).read_text())


def records(folder: Path, layout: str) -> list[dict]:
    return json.loads((folder / FILES[layout]).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_bytes_in_another_process(name, folders, tmp_path):
    code = f"from harness.datasets.synthetic import write; write.ensure({name!r}, {str(tmp_path)!r}, 'tiny')"
    subprocess.run([sys.executable, "-c", code], check=True)
    again = tmp_path / folders[name].name
    assert (again / write.MANIFEST).read_bytes() == (folders[name] / write.MANIFEST).read_bytes()
    for path, digest in manifest(folders[name])["files"].items():
        assert hashlib.sha256((again / path).read_bytes()).hexdigest() == digest


def test_manifest_lists_every_file(folders):
    for folder in folders.values():
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert there == {*manifest(folder)["files"], write.MANIFEST}
        assert VERSION in folder.name.split("-")[1]


def test_another_seed_gives_other_pictures_and_captions(folders, data):
    other = write.ensure("cuhk", data, "tiny", seed=1)
    same = set(manifest(other)["files"].values()) & set(manifest(folders["cuhk"])["files"].values())
    assert not same


def test_bytes_are_those_of_this_version(folders):
    """Whoever changes what is written or drawn has to change VERSION, or stale folders would pass for new ones."""
    known = json.loads((Path(__file__).parent / "synthetic_sums.json").read_text())
    assert known["version"] == VERSION
    for name, folder in folders.items():
        facts = hashlib.sha256((folder / write.FACTS).read_bytes()).hexdigest()
        layout = DOMAINS[name].layout
        captions = json.dumps([r["captions"] for r in records(folder, layout)]).encode()
        assert [facts, hashlib.sha256(captions).hexdigest()] == known["words"][name]
        if known["made_with"]["pillow"] == PIL.__version__:
            assert hashlib.sha256(json.dumps(manifest(folder)["files"]).encode()).hexdigest() == known["files"][name]


@pytest.mark.parametrize("name", NAMES)
def test_official_schema(name, folders):
    layout = DOMAINS[name].layout
    rows = records(folders[name], layout)
    key = "img_path" if layout == "rstp" else "file_path"
    assert all(set(row) == KEYS[layout] for row in rows)
    assert min(row["id"] for row in rows) == (1 if layout == "cuhk" else 0)
    assert {row["split"] for row in rows} == ({"train", "test"} if layout == "icfg" else {"train", "val", "test"})
    for row in rows:
        assert (folders[name] / FILES[layout]).parent.joinpath("imgs", row[key]).is_file()
        assert len(row.get("processed_tokens", row["captions"])) == len(row["captions"])
    if layout == "icfg":
        assert any(r["split"] == "train" and r[key].startswith("test/") for r in rows)
    if layout == "rstp":
        assert all("/" not in row[key] for row in rows)
        for person in {row["id"] for row in rows}:
            cameras = [row[key].split("_")[1] for row in rows if row["id"] == person]
            assert len(set(cameras)) == len(cameras)


@pytest.mark.parametrize("name", NAMES)
def test_loader_reads_what_was_written(name, folders, data):
    module = registry.find("datasets", f"synth_{name}")
    splits = module.load(data, size="tiny")
    assert list(splits) == ["train", "val", "test"]
    sizes = DOMAINS[name].sizes["tiny"].identities
    assert len(splits["test"].persons) == sizes["test"]
    assert len(splits["train"].persons) + len(splits["val"].persons) == sizes["train"] + sizes.get("val", 0)
    people = [set(split.persons) for split in splits.values()]
    assert not any(a & b for a, b in itertools.combinations(people, 2))
    assert sum(len(s.captions) for s in splits.values()) == sum(
        len(r["captions"]) for r in records(folders[name], DOMAINS[name].layout)
    )
    direct = module.load(folders[name], size="tiny")
    assert direct["test"].captions == splits["test"].captions


def test_domains_look_and_read_differently(folders):
    def light(name: str) -> float:
        paths = list((folders[name]).rglob("*.jpg"))
        return float(np.mean([np.asarray(Image.open(p).convert("L")).mean() for p in paths]))

    def words(name: str) -> np.ndarray:
        rows = records(folders[name], DOMAINS[name].layout)
        return np.array([len(c.split()) for r in rows for c in r["captions"]])

    # Mean of the channels that public code normalises the three sets with.
    for name, published in (("cuhk", 0.367), ("icfg", 0.301), ("rstp", 0.281)):
        assert light(name) / 255 == pytest.approx(published, abs=0.06), name
    assert words("broad").mean() < words("cuhk").mean() < words("icfg").mean()
    assert words("rstp").min() >= 23


def test_identities_do_not_depend_on_each_other(tmp_path, folders):
    """An image depends on its address alone: identity 3 is drawn the same without identities 0..2."""
    domain = DOMAINS["rstp"]
    people = list(write._people(domain, "tiny", 0))
    split, person = people[3]
    layout = write.LAYOUTS["rstp"]
    for path, content, *_ in write._images(domain, "tiny", 0, 3, split, person, layout.path):
        assert content == (folders["rstp"] / layout.folder / "imgs" / path).read_bytes()


def test_noise_exchanges_training_captions_only(data, folders):
    noisy = write.ensure("rstp", data, "tiny", noise=0.5)
    assert "noise0.5" in noisy.name
    clean, changed = records(folders["rstp"], "rstp"), records(noisy, "rstp")
    share = {"train": [], "val": [], "test": []}
    for before, after in zip(clean, changed, strict=True):
        assert before["img_path"] == after["img_path"]
        share[before["split"]] += [a != b for a, b in zip(before["captions"], after["captions"], strict=True)]
    assert np.mean(share["train"]) == pytest.approx(0.5, abs=0.03)
    assert not any(share["val"] + share["test"])
    assert len(json.loads((noisy / write.FACTS).read_text())["exchanged"]) == round(0.5 * len(share["train"]))
    assert sorted(c for r in clean for c in r["captions"]) == sorted(c for r in changed for c in r["captions"])


def test_density_and_completeness_are_knobs(data, folders):
    def stated(folder: Path) -> float:
        return np.mean([len(c) for c in oracle.facts(folder)[0]])

    assert stated(write.ensure("rstp", data, "tiny", density=0.2)) < stated(folders["rstp"])
    assert stated(write.ensure("rstp", data, "tiny", completeness=1.0)) > stated(folders["rstp"])


def test_wrong_options_are_named(tmp_path):
    with pytest.raises(UserError, match=r"unknown size 'dem'.*did you mean demo"):
        write.ensure("cuhk", tmp_path, "dem")
    with pytest.raises(UserError, match=r"noise is 1\.5.*between 0 and 1"):
        write.ensure("cuhk", tmp_path, "tiny", noise=1.5)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_folder_is_made_anew(tmp_path, folders):
    name = folders["cuhk"].name
    left = tmp_path / f".{name}.unfinished"
    left.mkdir()
    (left / "half.jpg").write_bytes(b"")
    made = write.ensure("cuhk", tmp_path, "tiny")
    assert not left.exists() and not (made / "half.jpg").exists()
