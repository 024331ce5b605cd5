"""A model in use gives the features that a trial's evaluation gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.pipeline import augment, images
from harness.errors import DataError, UserError
from harness.evaluation import encode
from harness.model import weights
from harness.model.source import Source
from harness.model.tokenizer import tokenizer
from harness.retrieval import of_trial
from harness.retrieval.model import Model
from harness.retrieval.sources import source_of
from tests.harness.trial.kept.trials import make, trained


def test_features_are_those_of_evaluation(drawn, tiny):
    source = Source("tiny")
    about, backbone = weights.pixels(source), weights.load(source)
    pixels = np.stack([images.read(path, about["size"]).transpose(2, 0, 1) for path in drawn])
    index = torch.zeros(len(pixels), dtype=torch.int64)
    normalised = augment.prepare(torch.from_numpy(pixels), "none", about["mean"], about["std"], 0, 0, index)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(backbone.image(normalised), dim=-1).numpy()
    found = tiny.encode_images(drawn, batch=5)
    assert found.dtype == np.float32 and found.shape == (12, tiny.embed)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    texts = ["a man in a red coat", "a woman with a bag"]
    whole = encode.encode_texts(backbone, tokenizer(source)(texts)[0]).numpy()
    np.testing.assert_array_equal(tiny.encode_texts(texts), whole)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_an_array_is_taken_as_its_file_is(drawn, tiny, tmp_path):
    wide = Image.open(drawn[0]).resize((70, 200))
    wide.save(tmp_path / "wide.png")
    array = np.asarray(Image.open(tmp_path / "wide.png"))
    one, other = tiny.encode_images([tmp_path / "wide.png", array])
    np.testing.assert_array_equal(one, other)


def test_what_is_no_image_or_sentence_is_one_line(tiny, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.jpg"):
        tiny.encode_images([tmp_path / "a.jpg"])
    for array in (np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)):
        with pytest.raises(UserError, match=r"expected uint8 \[height, width, 3\]"):
            tiny.encode_images([array])
    with pytest.raises(UserError, match="sentence 2 is empty"):
        tiny.encode_texts(["a man", " "])
    with pytest.raises(UserError, match="list of sentences"):
        tiny.encode_texts("a man")
    assert tiny.encode_images([]).shape == tiny.encode_texts([]).shape == (0, tiny.embed)


def test_models_that_differ_in_anything_that_matters_have_other_identities(tiny):
    same = Model.of(Source("tiny"), "cpu")
    others = [
        Source("tiny", image=(96, 48)),
        Source("tiny", resize="bicubic", image=(96, 48)),
        Source("tiny", activation="gelu"),
    ]
    found = {Model.of(source, "cpu").identity for source in others}
    assert same.identity == tiny.identity and len({tiny.identity, *found}) == 4
    with pytest.raises(UserError, match="no weights of its own"):
        Model.of(Source("ViT-B-32"), "cpu")


def test_the_model_of_a_trial_is_the_trained_one(tmp_path, drawn, tiny):
    from harness.store.store import Store

    store = Store(tmp_path / "store")
    resolved = trained(make(method="lora", selection="last", recipe={"lr": 0.05}), store, tmp_path / "data")
    model = of_trial.model(str(store.root), resolved.id[:6], "cpu")
    assert model.label == f"a, trained on synth_cuhk, trial {resolved.id[:8]}"
    assert np.abs(model.encode_images(drawn) - tiny.encode_images(drawn)).max() > 0.01
    assert model.identity != tiny.identity
    for name, again in (("upbench", model), ("merged", model.merge()), ("open_clip", model)):
        place = tmp_path / name
        again.save(place, name.replace("merged", "upbench"))
        loaded = Model.of(source_of(place), "cpu")
        assert np.abs(loaded.encode_images(drawn) - model.encode_images(drawn)).max() < 1e-5
        assert np.abs(loaded.encode_texts(["a man"]) - model.encode_texts(["a man"])).max() < 1e-5
    merged = model.merge()
    assert merged.identity != model.identity and merged.label.endswith("merged")
    assert sum(1 for _ in merged.backbone.modules()) < sum(1 for _ in model.backbone.modules())
    assert (tmp_path / "merged" / "open_clip_model.safetensors").is_file()
    with pytest.raises(UserError, match="is there and not empty"):
        model.save(tmp_path / "open_clip")
    with pytest.raises(UserError, match="no trial 'ffff"):
        of_trial.model(str(store.root), "ffffffff")
