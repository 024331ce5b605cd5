"""An index finds what a slow loop finds, and encodes only what is new."""

from __future__ import annotations

import dataclasses
import os
import shutil

import numpy as np
import pytest

from harness.errors import DataError, EnvironmentFault, UserError
from harness.model.source import Source
from harness.retrieval import index as indexing
from harness.retrieval.index import PLACE, open_index
from harness.retrieval.model import Model

TEXTS = ["a man in a red shirt", "a woman with black trousers and a bag", "somebody in green"]


def slow(folder, model, text: str) -> list[tuple[str, float]]:
    """Every image below the folder with its cosine, the best first."""
    found = []
    query = model.encode_texts([text])[0].astype(np.float64)
    for path in sorted(folder.rglob("*.jpg")):
        feature = model.encode_images([path])[0].astype(np.float64)
        found.append((str(path.relative_to(folder)), float(feature @ query)))
    return sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize("precision, error", [("float32", 1e-6), ("float16", 1e-3)])
def test_it_finds_what_a_slow_loop_finds(folder, tiny, precision, error, monkeypatch):
    monkeypatch.setattr(indexing, "BLOCK", 5)
    monkeypatch.setattr(indexing, "QUERIES", 2)
    monkeypatch.setattr(indexing, "STRETCH", 7)
    index = open_index(folder, tiny, precision=precision)
    table = index.search(TEXTS, top=12)
    assert index.added == 12 and len(table) == 36 and index.features.dtype == precision
    for number, text in enumerate(TEXTS):
        part, expected = table[table["query"] == number], slow(folder, tiny, text)
        assert part["sentence"].unique().tolist() == [text] and part["rank"].tolist() == list(range(1, 13))
        np.testing.assert_allclose(part["score"], [score for _, score in expected], atol=error)
        known = dict(expected)
        np.testing.assert_allclose(part["score"], [known[path] for path in part["path"]], atol=error)
    pieces = [index.search(text, 3) for text in TEXTS]
    assert [p["path"].tolist() for p in pieces] == [
        table[(table["query"] == n) & (table["rank"] < 4)]["path"].tolist() for n in range(3)
    ]


def test_only_what_is_new_or_changed_is_encoded(folder, tiny, drawn):
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg"))
    assert open_index(folder, tiny).added == 12
    assert open_index(folder, tiny).added == 0
    (folder / names[0]).unlink()
    shutil.copy2(drawn[1], folder / "new.jpg")
    shutil.copy2(drawn[2], folder / names[3])  # another image in its place
    os.utime(folder / names[3], ns=(1, 1))
    os.utime(folder / names[5], ns=(1, 1))  # as many bytes as before
    index = open_index(folder, tiny, precision="float16")
    assert (index.added, index.gone) == (3, 1)
    assert [file.path for file in index.files] == sorted({*names, "new.jpg"} - {names[0]})
    expected = dict(slow(folder, tiny, TEXTS[0]))
    found = index.search(TEXTS[0], 99)
    np.testing.assert_allclose(found["score"], [expected[path] for path in found["path"]], atol=1e-3)


def test_damaged_files_are_named_and_passed_over(folder, tiny):
    (folder / "bad.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("no image")
    (folder / "notes.txt").write_text("not looked at")
    index = open_index(folder, tiny)
    assert set(index.damaged) == {"bad.jpg", "text.jpg"} and "empty file" in index.damaged["bad.jpg"]
    assert len(index.files) == 12
    again = open_index(folder, tiny)
    assert again.added == 0 and set(again.damaged) == {"bad.jpg", "text.jpg"}


def test_a_build_that_is_killed_keeps_its_stretches(folder, tiny, monkeypatch):
    monkeypatch.setattr(indexing, "STRETCH", 5)
    seen = []

    def stop(done: int, of: int) -> None:
        seen.append((done, of))
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_index(folder, tiny, told=stop)
    with open(folder / PLACE / "features-0.bin", "ab") as file:
        file.write(b"half a row")
    index = open_index(folder, tiny)
    assert seen == [(5, 12), (10, 12)] and index.added == 2
    expected = dict(slow(folder, tiny, TEXTS[1]))
    found = index.search(TEXTS[1], 12)
    np.testing.assert_allclose(found["score"], [expected[path] for path in found["path"]], atol=1e-3)


def test_rows_that_nothing_needs_are_given_up(folder, tiny, monkeypatch):
    monkeypatch.setattr(indexing, "STRETCH", 1)
    open_index(folder, tiny)
    for round_ in range(2):
        for path in folder.rglob("*.jpg"):
            os.utime(path, ns=(round_, round_))
        index = open_index(folder, tiny)
    assert index.features.shape[0] == 12 and max(file.row for file in index.files) == 11
    kept = {path.name for path in (folder / PLACE).iterdir()}
    assert len([name for name in kept if name.startswith("features-")]) == 1
    expected = dict(slow(folder, tiny, TEXTS[2]))
    found = index.search(TEXTS[2], 12)
    np.testing.assert_allclose(found["score"], [expected[path] for path in found["path"]], atol=1e-3)


def test_another_model_precision_or_folder_is_one_line(folder, tiny, tmp_path):
    open_index(folder, tiny)
    other = Model.of(Source("tiny", activation="gelu"), "cpu")
    with pytest.raises(UserError, match=rf"of another model: tiny \({tiny.identity}\); expected .*--index PLACE"):
        open_index(folder, other)
    with pytest.raises(UserError, match="kept in float16"):
        open_index(folder, tiny, precision="float32")
    elsewhere = open_index(folder, other, tmp_path / "elsewhere")
    assert len(elsewhere.files) == 12
    with pytest.raises(UserError, match="no folder of images"):
        open_index(tmp_path / "gone", tiny)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        open_index(tmp_path / "empty", tiny)
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="--index PLACE"):
        open_index(folder, tiny, tmp_path / "file")


@pytest.mark.parametrize("file, text", [("about.json", b"{"), ("files-0.parquet", b"PAR1"), ("features-0.bin", b"")])
def test_a_damaged_index_says_what_to_do(folder, tiny, file, text):
    open_index(folder, tiny)
    (folder / PLACE / file).write_bytes(text)
    with pytest.raises(DataError, match=r"the index is damaged: .*expected the folder removed"):
        open_index(folder, tiny)


def test_equal_features_come_in_the_order_of_their_paths(folder, tiny):
    index = open_index(folder, tiny)
    same = dataclasses.replace(index, features=np.ones_like(np.asarray(index.features)))
    paths = same.search(TEXTS[0], 12)["path"].tolist()
    assert paths == sorted(paths) and len(paths) == 12
