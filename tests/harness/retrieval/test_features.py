"""Features as Parquet: every image and caption once, beside what it is."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.api import searching
from harness.errors import DataError, EnvironmentFault, UserError
from harness.retrieval import features
from harness.trial import splits


def test_a_folder(folder, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "STRETCH", 5)
    (folder / "bad.jpg").write_bytes(b"")
    told = searching.encode(folder, tmp_path / "out.parquet", tiny)
    table = pq.read_table(tmp_path / "out.parquet").to_pandas()
    assert told == {"images": 12, "captions": 0, "damaged": {"bad.jpg": "unreadable image: empty file"}}
    assert table["index"].tolist() == list(range(12)) and table["person"].isna().all()
    expected = tiny.encode_images([folder / path for path in table["text"]])
    np.testing.assert_allclose(np.stack(table["feature"]), expected, atol=1e-6)
    assert pq.read_schema(tmp_path / "out.parquet").metadata[b"identity"].decode() == tiny.identity


def test_a_data_set(tiny, tmp_path):
    told = searching.encode("synth_cuhk", tmp_path / "out.parquet", tiny, split="val", data=tmp_path / "data")
    table = pq.read_table(tmp_path / "out.parquet").to_pandas()
    split = splits.splits({"dataset": "synth_cuhk", "options": {}}, tmp_path / "data")["val"]
    assert told["images"] == len(split.image_person) and told["captions"] == len(split.captions)
    images, captions = table[table["kind"] == "image"], table[table["kind"] == "caption"]
    assert captions["text"].tolist() == list(split.captions)
    np.testing.assert_array_equal(captions["person"], split.caption_person)
    np.testing.assert_array_equal(captions["image"], split.caption_image)
    np.testing.assert_array_equal(images["person"], split.image_person)
    some = captions.iloc[[0, -1]]
    np.testing.assert_allclose(np.stack(some["feature"]), tiny.encode_texts(some["text"].tolist()), atol=1e-6)
    one = images.iloc[[3]]
    np.testing.assert_allclose(np.stack(one["feature"]), tiny.encode_images(one["text"].tolist()), atol=1e-6)


def test_nothing_to_read_or_nowhere_to_write_is_one_line(tmp_path, folder, tiny):
    with pytest.raises(UserError, match="unknown dataset 'synth_cuk'"):
        searching.encode("synth_cuk", tmp_path / "o.parquet", tiny)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no readable image"):
        searching.encode(tmp_path / "empty", tmp_path / "o.parquet", tiny)
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        searching.encode(folder, tmp_path / "file" / "o.parquet", tiny)
    assert not list(tmp_path.glob("*.parquet*"))
