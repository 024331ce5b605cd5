"""Faults of data and embeddings as a trial meets them: what is in its row, and what its reason says."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.split import Split
from harness.datasets import cuhk_pedes
from harness.errors import DataError, UserError
from harness.evaluation import encode as evaluate
from harness.store.store import Store
from harness.trial import run as running
from harness.trial import splits as data_splits
from harness.trial.loader import Loader
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def make(**changes) -> Trial:
    values = {
        "method": "zero_shot",
        "options": {},
        "label": "a",
        "budget": None,
        "dataset": TINY,
        "backbone": {"name": "tiny"},
        "recipe": recipe({"name": "short"}),
        "selection": "val",
        "evaluate_on": (),
        "seed": 0,
        "device": "cpu",
        "threads": 1,
    } | changes
    return Trial(**values)


def run(trial: Trial, data, root):
    resolved = resolve(trial, data)
    store = Store(root)
    status = running.run(resolved.as_dict(), store.root, data)
    entry = {"id": resolved.id, "trial": resolved.trial, "dataset": trial.dataset.dataset}
    store.declare("s", {}, [entry | {"label": "a", "method": trial.method, "budget": None, "seed": 0}])
    return status, store.read("s")


def spoil(monkeypatch, kind: str, value: float, count: int = 0, row: int | None = None) -> None:
    """Overwrite a row of the features, or all of them, wherever `count` captions or images are encoded."""
    name = {"captions": "encode_texts", "images": "encode_images"}[kind]
    encode = getattr(evaluate, name)

    def spoilt(*given, **more):
        features = encode(*given, **more).clone()
        if len(features) == count or not count:
            features[slice(None) if row is None else row] = value
        return features

    monkeypatch.setattr(evaluate, name, spoilt)
    # Spoilt features must not reach the cache of other tests.
    monkeypatch.setattr(Loader, "_known", lambda self, tower, inputs, encode: encode(), raising=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("kind", ["captions", "images"])
def test_a_broken_embedding_fails_the_trial_and_is_named(data, tmp_path, monkeypatch, kind, value):
    val = data_splits.splits(TINY, data)["val"]
    things = getattr(val, kind)
    spoil(monkeypatch, kind, value, len(things), 5)
    status, results = run(make(), data, tmp_path)
    reason = results.trials.iloc[0]["reason"]
    assert status == "failed" and results.scores.empty and results.queries.empty
    place = f"caption 5 '{val.captions[5][:60]}'" if kind == "captions" else f"image 5 {val.images[5]}"
    assert f"synth_cuhk val, {place}: 1 " in reason and "zero or not finite" in reason


def test_a_broken_embedding_of_another_data_set_is_named_with_it(data, tmp_path, monkeypatch):
    other = {"dataset": "synth_rstp", "options": {"size": "tiny"}}
    test = data_splits.splits(other, data)["test"]
    known = [len(x) for s in data_splits.splits(TINY, data).values() for x in (s.images, s.captions)]
    assert len(test.captions) not in known
    spoil(monkeypatch, "captions", float("nan"), len(test.captions), 0)
    status, results = run(make(evaluate_on=(other,)), data, tmp_path)
    assert status == "failed" and "synth_rstp test, caption 0" in results.trials.iloc[0]["reason"]


def test_a_constant_model_scores_the_worst(data, tmp_path, monkeypatch):
    spoil(monkeypatch, "captions", 0.1)
    spoil(monkeypatch, "images", 0.1)
    status, results = run(make(), data, tmp_path)
    assert status == "ok"
    assert (results.scores.query("metric == 'R1'")["value"] == 0).all()
    queries = results.queries.query("direction == 't2i'")
    gallery = len(data_splits.splits(TINY, data)["test"].images)
    assert (queries["first"] == gallery - queries["positives"] + 1).all()


def small(root) -> dict:
    """CUHK-PEDES with four images in test, two of each identity."""
    rows = []
    for split, persons in (("train", (1, 2, 3)), ("val", (4, 5)), ("test", (6, 7))):
        for person in persons:
            for k in range(2):
                path = root / "CUHK-PEDES/imgs/cam_a" / f"{person}_{k}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (44, 120), (30 * person, 90 * k, 20)).save(path)
                rows.append({"split": split, "id": person, "file_path": f"cam_a/{path.name}",
                             "captions": [f"Person {person} in red.", f"View {k}."]})  # fmt: skip
    (root / "CUHK-PEDES/reid_raw.json").write_text(json.dumps(rows))
    return {"dataset": "cuhk_pedes", "options": {"root": str(root)}}


def test_a_gallery_under_ten_has_no_rank_10(tmp_path):
    status, results = run(make(dataset=small(tmp_path)), tmp_path, tmp_path / "store")
    assert status == "ok"
    found = results.scores.query("split == 'test'").set_index(["direction", "metric"])
    assert set(found.loc["t2i"].index) == {"R1", "mAP", "mINP"}
    assert set(found.loc["i2t"].index) == {"R1", "R5", "mAP", "mINP"}
    assert (found.loc["t2i"]["gallery"] == 4).all() and (found.loc["i2t"]["gallery"] == 8).all()
    assert results.scores["value"].notna().all()


def test_a_query_without_a_match_is_counted_and_left_out(tmp_path, monkeypatch):
    load = cuhk_pedes.load

    @functools.wraps(load)
    def with_stranger(*given, **options):
        """The test split with one more image, of a person without a caption."""
        splits = load(*given, **options)
        test = splits["test"]
        return splits | {
            "test": Split(
                root=test.root,
                images=(*test.images, test.images[0].replace("6_0", "1_0")),
                image_person=np.append(test.image_person, 2),
                captions=test.captions,
                caption_image=test.caption_image,
                persons=(*test.persons, "stranger"),
            )
        }

    monkeypatch.setattr(cuhk_pedes, "load", with_stranger)
    status, results = run(make(dataset=small(tmp_path)), tmp_path, tmp_path / "store")
    assert status == "ok"
    found = results.scores.query("split == 'test'").groupby("direction")[["queries", "gallery", "unmatched"]].first()
    assert found.loc["t2i"].tolist() == [8, 5, 0]
    assert found.loc["i2t"].tolist() == [4, 8, 1]
    assert set(results.queries.query("direction == 'i2t'")["query"]) == {0, 1, 2, 3}
    assert results.scores["value"].notna().all()


def test_nobody_has_a_match(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "text_to_image", lambda image, text, split: evaluate.measure(
        text, image, split.caption_person, split.image_person + 100))  # fmt: skip
    status, results = run(make(dataset=small(tmp_path)), tmp_path, tmp_path / "store")
    assert status == "failed"
    assert "cuhk_pedes val: no query has a match in the gallery" in results.trials.iloc[0]["reason"]


def test_the_row_says_where_val_comes_from(data, tmp_path):
    for name, source in (("synth_cuhk", "official"), ("synth_icfg", "slice of train")):
        dataset = {"dataset": name, "options": {"size": "tiny"}}
        results = run(make(dataset=dataset), data, tmp_path / name)[1]
        assert results.trials.iloc[0]["val_source"] == source
    for name, source in (("ufine6926", "slice of train"), ("icfg_pedes", "slice of train"), ("mscoco", "official")):
        assert data_splits.val_source({"dataset": name}) == source


def test_a_subset_cuts_train_alone_and_is_part_of_the_identity(data):
    def of(**options):
        return {"dataset": "synth_cuhk", "options": {"size": "tiny", **options}}

    whole, part = data_splits.splits(TINY, data), data_splits.splits(of(fraction="25%", subset_seed=3), data)
    assert len(part["train"].captions) == round(0.25 * len(whole["train"].captions))
    for name in ("val", "test"):
        assert part[name].captions == whole[name].captions and part[name].images == whole[name].images
    assert len(data_splits.splits(of(identities=5), data)["train"].persons) == 5
    lora = {"method": "lora", "options": {"targets": ("k", "v")}, "budget": "2%"}
    own = resolve(make(**lora), data)
    others = [{"fraction": "25%"}, {"fraction": "50%"}, {"fraction": "25%", "subset_seed": 1}, {"identities": 5}]
    resolved = [resolve(make(**lora, dataset=of(**options)), data) for options in others]
    assert len({own.id, *(r.id for r in resolved)}) == 1 + len(others)
    assert len({own.hashes["data"], *(r.hashes["data"] for r in resolved)}) == 1 + len(others)
    assert resolve(make(**lora, dataset=of(fraction="100%")), data).id == own.id


def test_options_that_no_data_set_has_are_refused(data):
    with pytest.raises(DataError, match=r"synth_cuhk has no option 'fractoin'; .* did you mean fraction\?"):
        data_splits.splits({"dataset": "synth_cuhk", "options": {"size": "tiny", "fractoin": "5%"}}, data)
    with pytest.raises(UserError, match="from 1 to 24"):
        data_splits.splits({"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 25}}, data)


def test_pictures_of_a_subset_are_those_of_its_captions(data):
    """The packed image of every caption is the one of the whole set."""
    from harness.model.weights import Source

    cut = {"dataset": "synth_cuhk", "options": {"size": "tiny", "fraction": "30%", "identities": 7}}
    whole, part = (data_splits.part(d, data, "train", Source("tiny")) for d in (TINY, cut))
    assert 0 < len(part.images) < len(whole.images)
    for row, name in enumerate(part.split.images):
        assert torch.equal(torch.tensor(part.images[row]), torch.tensor(whole.images[whole.split.images.index(name)]))
