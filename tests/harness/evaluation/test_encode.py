"""Encoding once in batches, both directions, and the per-query records by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data.split import Split
from harness.evaluation import encode
from harness.evaluation.ranking import Ranks
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source, load
from harness.registry import find
from harness.training.recipe import Recipe
from harness.trial.loader import Loader
from harness.trial.splits import Part


def test_texts_come_back_in_their_order_whatever_the_batch(small_backbone, small_inputs):
    _, ids = small_inputs
    many = ids.numpy()[[0, 2, 1, 2, 0]]
    whole = torch.nn.functional.normalize(small_backbone.text(torch.as_tensor(many)), dim=-1)
    for batch in (1, 2, 5):
        assert torch.allclose(encode.encode_texts(small_backbone, many, batch), whole, atol=1e-6)


def test_images_are_prepared_and_normalised(small_backbone):
    images = np.random.default_rng(0).integers(0, 255, (5, 3, 64, 32), dtype=np.uint8)

    def prepare(batch):
        return batch.float() / 255

    features = encode.encode_images(small_backbone, images, prepare, batch=2)
    expected = torch.nn.functional.normalize(small_backbone.image(prepare(torch.from_numpy(images))), dim=-1)
    assert torch.allclose(features, expected, atol=1e-6)
    assert torch.allclose(features.norm(dim=-1), torch.ones(5))


def test_measures_by_hand():
    # Two persons; the query of person 0 finds its images at ranks 1 and 3, the query of person 1 at rank 2.
    gallery = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), dim=-1)
    queries = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0]]), dim=-1)
    measured = encode.measure(queries, gallery, np.array([0, 1]), np.array([0, 1, 0]))
    assert measured.values["R1"] == pytest.approx(50.0)
    assert measured.values["mAP"] == pytest.approx(100 * ((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert measured.values["mINP"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert "R5" not in measured.values
    assert (measured.queries, measured.gallery, measured.unmatched) == (2, 3, 0)


def test_a_query_without_a_match_is_in_no_mean():
    gallery = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), dim=-1)
    queries = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 1.0]]), dim=-1)
    persons = np.array([0, 1, 0])
    alone = encode.measure(queries[:2], gallery, np.array([0, 1]), persons)
    stranger = encode.measure(queries, gallery, np.array([0, 1, 7]), persons)
    assert stranger.values == alone.values and stranger.values["R1"] == pytest.approx(50.0)
    assert (stranger.unmatched, alone.unmatched) == (1, 0) and stranger.records["query"].tolist() == [0, 1]


def test_records_by_hand():
    ranks = Ranks(np.array([1, 3, 2]), np.array([0, 2, 2, 3]), 5, np.array([1]))
    columns = encode.records(ranks, np.array([7, 8, 9]))
    assert {name: values.tolist() for name, values in columns.items() if values.dtype == np.int32} == {
        "query": [0, 2],
        "person": [7, 9],
        "positives": [2, 1],
        "first": [1, 2],
    }
    assert columns["ap"] == pytest.approx([(1 + 2 / 3) / 2, 0.5])
    assert columns["inp"] == pytest.approx([2 / 3, 0.5])


def test_both_directions(small_backbone):
    class Split:
        caption_person, image_person = np.array([0, 1, 1]), np.array([0, 1])

    text = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -0.2]]), dim=-1)
    image = torch.nn.functional.normalize(torch.tensor([[1.0, 0.01], [0.0, 1.0]]), dim=-1)
    there, back = encode.text_to_image(image, text, Split), encode.image_to_text(image, text, Split)
    assert (there.queries, there.gallery, back.queries, back.gallery) == (3, 2, 2, 3)
    assert there.values["R1"] == pytest.approx(200 / 3) and back.values["R1"] == pytest.approx(100)
    assert back.values["mINP"] == pytest.approx(100 * (1 + 2 / 3) / 2)


TINY = Source("tiny")


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    captions = tuple(f"a man with a {c} shirt" for c in ("red", "blue", "green", "black"))
    person = np.arange(4) % 2
    names = tuple(f"{i}.png" for i in range(4))
    split = Split(tmp_path_factory.mktemp("data"), names, person, captions, np.arange(4), ("a", "b"))
    images = np.random.default_rng(0).integers(0, 255, (4, 3, 96, 32), dtype=np.uint8)
    return Part(split, images, tokenizer(TINY)(captions)[0].astype(np.int64), 0)


def seen_with(backbone, part, cache, monkeypatch, **recipe):
    """Features that the ranking got, and which towers were encoded."""
    loader, ran, got = Loader(TINY, Recipe(**recipe), 0, torch.device("cpu"), cache), [], []
    for name in ("encode_images", "encode_texts"):
        plain = getattr(encode, name)
        monkeypatch.setattr(encode, name, lambda *a, n=name, p=plain, **k: ran.append(n) or p(*a, **k))
    monkeypatch.setattr(encode, "text_to_image", lambda image, text, split: got.extend([image, text]))
    monkeypatch.setattr(encode, "image_to_text", lambda image, text, split: None)
    loader.evaluate(backbone, part)
    monkeypatch.undo()
    return got, ran


def test_frozen_towers_are_encoded_once_and_give_the_same_bits(part, tmp_path, monkeypatch):
    backbone = load(TINY)
    plain, both = seen_with(backbone, part, None, monkeypatch)
    assert both == ["encode_images", "encode_texts"] and not list(tmp_path.iterdir())
    first, ran = seen_with(backbone, part, tmp_path, monkeypatch)
    again, none = seen_with(load(TINY), part, tmp_path, monkeypatch)
    assert ran == both and none == []
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(plain, first, again, strict=True))
    assert len(list(tmp_path.glob("*.npy"))) == 2


@pytest.mark.parametrize(
    ("method", "encoded"),
    [
        ("full_image", ["encode_images"]),
        ("full_text", ["encode_texts"]),
        ("coop", ["encode_texts"]),
        ("lora", ["encode_images", "encode_texts"]),
        ("zero_shot", []),
    ],
)
def test_a_method_has_its_own_towers_encoded(part, tmp_path, monkeypatch, method, encoded):
    seen_with(load(TINY), part, tmp_path, monkeypatch)
    backbone = load(TINY)
    find("methods", method).Method().attach(backbone)
    expected, _ = seen_with(backbone, part, None, monkeypatch)
    got, ran = seen_with(backbone, part, tmp_path, monkeypatch)
    assert ran == encoded
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))


def test_another_weight_input_or_precision_is_encoded_anew(part, tmp_path, monkeypatch):
    seen_with(load(TINY), part, tmp_path, monkeypatch)
    both = ["encode_images", "encode_texts"]
    assert seen_with(load(TINY), part, tmp_path, monkeypatch, precision="bf16")[1] == both
    moved = load(TINY)
    moved.text.blocks[0].mlp.fc1.weight.data[0, 0] += 1e-3
    assert seen_with(moved, part, tmp_path, monkeypatch)[1] == ["encode_texts"]
    brighter = part.images.copy()
    brighter[3, 2, 95, 31] ^= 1
    other = Part(part.split, brighter, part.ids, 0)
    assert seen_with(load(TINY), other, tmp_path, monkeypatch)[1] == ["encode_images"]


def test_wrapped_but_untrained_is_not_plain(part, tmp_path, monkeypatch):
    backbone = load(TINY)
    find("methods", "lora").Method().attach(backbone)
    backbone.requires_grad_(False)
    assert len(seen_with(backbone, part, tmp_path, monkeypatch)[1]) == 2 and not list(tmp_path.iterdir())


def test_memory_that_runs_out_makes_batches_smaller():
    inputs, seen = torch.arange(11.0)[:, None] + 1, []

    def tower(x):
        seen.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.cat([x, x * x], dim=1)

    features = encode.encode(tower, 11, lambda rows: inputs[rows], 8, unit=False)
    assert torch.equal(features, torch.cat([inputs, inputs**2], dim=1)) and seen == [8, 4, 2, 2, 2, 2, 2, 1]
    unit = encode.encode(tower, 11, lambda rows: inputs[rows], 3)
    assert torch.allclose(unit.norm(dim=1), torch.ones(11))
    with pytest.raises(torch.OutOfMemoryError):
        encode.encode(lambda x: tower(torch.ones(9, 1)), 11, lambda rows: inputs[rows], 8)
