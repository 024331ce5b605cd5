"""Drawn data sets: same bytes from the same seed, official schemas, disjoint identities, language, oracles.

Expected values come from the published key sets (hand-copied), from closed forms, and from a slow simulation of ties.
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
from harness.datasets.synthetic.families import distance, population
from harness.datasets.synthetic.people import COLOURS, HAIR_COLOURS, SLOTS, WEIGHTS, Person
from harness.datasets.synthetic.view import Shot, visible
from harness.datasets.synthetic.words import LEXICON, STYLES
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


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def folders(data) -> dict[str, Path]:
    return {name: write.ensure(name, data, "tiny") for name in NAMES}


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


@pytest.mark.parametrize("name", ("cuhk", "icfg", "rstp"))
def test_people(name):
    domain = DOMAINS[name]
    people = population(0, name, domain.sizes["standard"].identities, domain.tilt, domain.families)
    everyone = [person for split in people.values() for person in split]
    assert len(set(everyone)) == len(everyone)
    assert not any(person.held_out for split in ("train", "val") for person in people.get(split, []))
    assert any(person.held_out for person in people["test"])
    for person in people["test"]:
        assert sum(1 <= distance(person, other) <= 2 for other in people["test"]) >= 5


def test_broad_has_no_look_alikes_on_purpose():
    people = population(0, "broad", {"train": 300}, {}, families=False)["train"]
    assert not any(person.held_out for person in people)
    assert np.mean([any(1 <= distance(a, b) <= 2 for b in people) for a in people]) < 0.05


def test_identities_do_not_depend_on_each_other(tmp_path, folders):
    """An image depends on its address alone: identity 3 is drawn the same without identities 0..2."""
    domain = DOMAINS["rstp"]
    people = list(write._people(domain, "tiny", 0))
    split, person = people[3]
    layout = write.LAYOUTS["rstp"]
    for path, content, *_ in write._images(domain, "tiny", 0, 3, split, person, layout.path):
        assert content == (folders["rstp"] / layout.folder / "imgs" / path).read_bytes()


def _person(**changes: str) -> Person:
    plain = dict.fromkeys(SLOTS, "none") | {
        "gender": "woman", "age": "young", "build": "medium", "hair": "ponytail", "hair_colour": "black",
        "upper": "shirt", "upper_colour": "red", "pattern": "printed", "sleeve": "long", "lower": "jeans",
        "lower_colour": "blue", "lower_length": "long", "shoes": "boots", "shoes_colour": "black",
    }  # fmt: skip
    return Person(**(plain | changes))


def _shot(view: str, facing: int = 1, occluder: str = "none") -> Shot:
    return Shot(0, view, facing, "walking", 0.5, 0.9, (0.0, 0.0), occluder)


def test_what_is_visible_depends_on_the_view():
    dressed = _person(outer="jacket", outer_colour="green", glasses="glasses", held="phone")
    assert "pattern" in visible(dressed, _shot("front"))
    assert not {"pattern", "upper_colour", "glasses", "held", "age"} & set(visible(dressed, _shot("back")))
    assert "hair" in visible(dressed, _shot("back")) and "hair" not in visible(dressed, _shot("front"))
    assert not {"shoes", "shoes_colour"} & set(visible(dressed, _shot("front", occluder="low")))
    bag = _person(bag="handbag", bag_colour="red", bag_side="left")
    assert "bag" in visible(bag, _shot("side", facing=-1)) and "bag" not in visible(bag, _shot("side", facing=1))


def test_captions_state_only_what_can_be_seen(folders):
    for name in NAMES:
        known = json.loads((folders[name] / write.FACTS).read_text())
        for path, captions in known["captions"].items():
            hidden = set(known["images"][path]["hidden"])
            assert all(not hidden & set(facts) for facts in captions)


def test_rates_of_omission_and_mistakes(data):
    """The share of stated facts that are wrong is between 2 and 8 % (mistakes and rendered colours together)."""
    for name in ("cuhk", "icfg", "rstp"):
        captions, images, query, gallery = oracle.facts(write.ensure(name, data, "tiny"))
        del images, gallery
        known = json.loads((write.ensure(name, data, "tiny") / write.FACTS).read_text())["persons"]
        stated = [
            (value, known[str(who)][slot]) for c, who in zip(captions, query, strict=True) for slot, value in c.items()
        ]
        wrong = np.mean([said != true for said, true in stated])
        assert 0.01 < wrong < 0.1
        assert 4 < len(stated) / len(captions) < 12


def test_every_value_has_words_in_every_style():
    values = {
        **{slot: list(weights) for slot, weights in WEIGHTS.items()},
        "colour": list(COLOURS),
        "hair_colour": list(HAIR_COLOURS),
    }
    for kind, table in LEXICON.items():
        for value in set(values.get(kind, [])) - {"none", "plain", "medium"}:
            assert all(table[style, value] for style in STYLES), (kind, value)


def test_words_of_the_domains_occur_in_broad():
    """Transfer must be possible: nearly all words of the narrow domains occur, if rarely, in the broad one."""
    from harness.datasets.synthetic.captions import stated
    from harness.datasets.synthetic.streams import stream
    from harness.datasets.synthetic.styles import caption
    from harness.datasets.synthetic.view import shoot

    def vocabulary(name: str, count: int) -> set[str]:
        domain = DOMAINS[name]
        people = population(0, name, {"train": count}, domain.tilt, False)["train"]
        words: set[str] = set()
        for k, person in enumerate(people):
            rng = stream("vocabulary", name, k)
            shot = shoot(rng, 0, (0.9, 0.95), 0.0)
            facts = stated(rng, visible(person, shot), {}, domain.writing)
            words |= set(
                caption(rng, facts, shot, "street", domain.writing).lower().replace(",", "").replace(".", "").split()
            )
        return words

    broad = vocabulary("broad", 6000)
    for name in ("icfg", "rstp"):
        own = vocabulary(name, 400)
        assert len(own & broad) / len(own) > 0.8


@pytest.mark.parametrize("name", ("cuhk", "icfg", "rstp"))
def test_ladder_rises(name, folders):
    ladder = oracle.ladder(folders[name])
    for metric in ("R1", "mAP", "mINP"):
        assert ladder["chance"][metric] < ladder["bag of words"][metric] < ladder["attributes"][metric] < 100
    test = [r for r in records(folders[name], name) if r["split"] == "test"]
    people = np.array([r["id"] for r in test])
    per_query = [np.mean(people == r["id"]) for r in test for _ in r["captions"]]
    assert ladder["chance"]["R1"] == pytest.approx(100 * np.mean(per_query))


def _metrics_by_loop(order: np.ndarray, match: np.ndarray) -> tuple[float, float, float]:
    ranks = [k + 1 for k, i in enumerate(order) if match[i]]
    ap = np.mean([(k + 1) / rank for k, rank in enumerate(ranks)])
    return float(ranks[0] == 1), float(ap), len(ranks) / ranks[-1]


def test_expected_value_over_ties_is_the_mean_over_all_orders():
    score = np.array([[2.0, 1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 2.0, 2.0, 1.0]])
    match = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 0, 0], [1, 0, 0, 1, 0]], dtype=bool)
    rows = []
    for s, m in zip(score, match, strict=True):
        orders = [p for p in itertools.permutations(range(5)) if all(s[a] >= s[b] for a, b in itertools.pairwise(p))]
        rows.append(np.mean([_metrics_by_loop(np.array(p), m) for p in orders], axis=0))
    found = oracle.expected(score, match)
    assert list(found.values()) == pytest.approx((100 * np.mean(rows, axis=0)).tolist())


def test_bag_does_not_bind_colours():
    said = [{"upper": "shirt", "upper_colour": "red", "lower_colour": "blue"}]
    seen = [
        {"upper": "shirt", "upper_colour": "red", "lower_colour": "blue"},
        {"upper": "shirt", "upper_colour": "blue", "lower_colour": "red"},
        {"upper": "shirt", "upper_colour": "red", "lower_colour": "green"},
        {"upper": "shirt", "lower_colour": "green"},
    ]
    assert oracle._bag(said, seen, oracle._COLOURS).tolist() == [[2.0, 2.0, 0.0, -1.0]]
    assert oracle._slots(said, seen, SLOTS).tolist() == [[3.0, -1.0, 1.0, 0.0]]


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
