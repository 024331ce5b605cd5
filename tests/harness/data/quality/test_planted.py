"""No fault of a data set stays silent: each one planted alone, all that can be together, and the loader's refusals."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import planted

from harness import registry
from harness.cli import main
from harness.data.pipeline import pack
from harness.errors import DataError


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> dict[str, planted.Copy]:
    return {layout: planted.made(layout, tmp_path_factory.mktemp(layout)) for layout in planted.LAYOUTS}


def copied(clean: dict[str, planted.Copy], layout: str, root: Path) -> planted.Copy:
    source = clean[layout]
    return planted.Copy(source.dataset, Path(shutil.copytree(source.root, root / source.dataset, symlinks=True)))


# Each fault in one layout here, by turns; in all three when `planted` runs as a script, as the slow test does.
TURNS = [(fault, list(planted.LAYOUTS)[k % 3]) for k, fault in enumerate(planted.FAULTS)]


@pytest.mark.parametrize(("fault", "layout"), TURNS)
def test_a_fault_is_found_by_check(clean, tmp_path, fault, layout):
    copy = copied(clean, layout, tmp_path)
    plant, words = planted.FAULTS[fault]
    assert planted.said(copy.check(), words) is None
    plant(copy)
    report = copy.check()
    assert planted.said(report, words), report.rows()
    assert report.usable == planted.usable(fault)


@pytest.mark.parametrize(("fault", "layout"), [turn for turn in TURNS if not planted.usable(turn[0])])
def test_what_check_calls_an_error_never_reaches_a_trial(clean, tmp_path, fault, layout):
    """The loader or the pack refuses it in one line; the same picture in two splits only `check` can see."""
    if fault == "image of train in test":
        pytest.skip("every file is sound; only a comparison of all of them tells")
    copy = copied(clean, layout, tmp_path)
    planted.FAULTS[fault][0](copy)
    with pytest.raises(DataError) as caught:
        for split in registry.find("datasets", copy.dataset).load(copy.root).values():
            pack.pack(split, (24, 8), tmp_path / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", planted.LAYOUTS)
def test_a_clean_copy_has_no_finding_but_its_size(clean, layout):
    findings = clean[layout].check(decode=True).findings
    assert not [f for f in findings if "published" not in f.what and "repeat" not in f.what]


@pytest.mark.parametrize("layout", planted.LAYOUTS)
def test_one_copy_with_all_faults_that_can_be_together(tmp_path, layout):
    copy = planted.made(layout, tmp_path, whole=True)
    free, test = copy.of("train")[::-1], copy.of("test")  # from the end, so that no folder is left empty
    images = {
        "images are in two splits, byte for byte": lambda k: shutil.copy(copy.image(k), copy.image(test[0])),
        "need a conversion: L": lambda k: copy.save(k, "L"),
        "need a conversion: CMYK": lambda k: copy.save(k, "CMYK", "JPEG"),
        "empty file": lambda k: copy.image(k).write_bytes(b""),
        "the end is missing": lambda k: copy.image(k).write_bytes(copy.image(k).read_bytes()[:-300]),
        "1 x 1 pixels": lambda k: copy.image(k).write_bytes(planted.drawn(1, 1)),
        "images are missing": lambda k: copy.image(k).unlink(),
        "a link that leaves the data folder": lambda k: planted.link_out(copy, k),
    }
    for plant in images.values():
        plant(free.pop())
    records = {
        "captions[0]: has no words": {"captions": [""]},
        "captions: is a str": {"captions": "A man."},
        "split: is 'vall'": {"split": "vall"},
        "id: is 1.5": {"id": 1.5},
        "leaves the folder": {"path": "../x.jpg"},
        "have control characters": {"captions": ["A \x07 man."]},
        "are cut": {"captions": ["man " * 90]},
        "identities in one split only": {"split": "test"},
    }
    for values in records.values():
        copy.set(free.pop(), **values)
    report = copy.check()
    lines = "\n".join(" ".join(row) for row in report.rows())
    assert not [words for words in (*images, *records) if words not in lines], lines
    assert not report.usable and main.call(["data", "check", copy.dataset, "--root", str(copy.root)]) == 4


@pytest.mark.parametrize("change", planted.REMAPPED)
@pytest.mark.parametrize("layout", planted.LAYOUTS)
def test_identities_of_any_kind_are_renumbered(clean, tmp_path, layout, change):
    copy = copied(clean, layout, tmp_path)
    before = copy.rows
    planted.REMAPPED[change](copy)
    load = registry.find("datasets", copy.dataset).load
    old, new = load(clean[layout].root), load(copy.root)
    assert copy.check().usable and copy.rows != before
    for name in old:
        assert new[name].image_person.tolist() == old[name].image_person.tolist()
        assert new[name].persons != old[name].persons


@pytest.mark.slow
def test_the_table_of_all_faults_in_all_layouts():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert planted.main() == 0
    print(out.getvalue())
    assert f"{3 * len(planted.FAULTS)} of {3 * len(planted.FAULTS)} found" in out.getvalue()
