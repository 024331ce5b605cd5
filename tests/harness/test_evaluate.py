"""Encoding once in batches, both directions, and the per-query records by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import evaluate
from harness.ranking import Ranks


def test_texts_come_back_in_their_order_whatever_the_batch(small_backbone, small_inputs):
    _, ids = small_inputs
    many = ids.numpy()[[0, 2, 1, 2, 0]]
    whole = torch.nn.functional.normalize(small_backbone.text(torch.as_tensor(many)), dim=-1)
    for batch in (1, 2, 5):
        assert torch.allclose(evaluate.encode_texts(small_backbone, many, batch), whole, atol=1e-6)


def test_images_are_prepared_and_normalised(small_backbone):
    images = np.random.default_rng(0).integers(0, 255, (5, 64, 32, 3), dtype=np.uint8)

    def prepare(batch):
        return batch.permute(0, 3, 1, 2).float() / 255

    features = evaluate.encode_images(small_backbone, images, prepare, batch=2)
    expected = torch.nn.functional.normalize(small_backbone.image(prepare(torch.from_numpy(images))), dim=-1)
    assert torch.allclose(features, expected, atol=1e-6)
    assert torch.allclose(features.norm(dim=-1), torch.ones(5))


def test_measures_by_hand():
    # Two persons; the query of person 0 finds its images at ranks 1 and 3, the query of person 1 at rank 2.
    gallery = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), dim=-1)
    queries = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0]]), dim=-1)
    measured = evaluate.measure(queries, gallery, np.array([0, 1]), np.array([0, 1, 0]))
    assert measured.values["R1"] == pytest.approx(50.0)
    assert measured.values["mAP"] == pytest.approx(100 * ((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert measured.values["mINP"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert "R5" not in measured.values
    assert (measured.queries, measured.gallery, measured.unmatched) == (2, 3, 0)


def test_records_by_hand():
    ranks = Ranks(np.array([1, 3, 2]), np.array([0, 2, 2, 3]), 5, np.array([1]))
    columns = evaluate.records(ranks, np.array([7, 8, 9]))
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
    there, back = evaluate.text_to_image(image, text, Split), evaluate.image_to_text(image, text, Split)
    assert (there.queries, there.gallery, back.queries, back.gallery) == (3, 2, 2, 3)
    assert there.values["R1"] == pytest.approx(200 / 3) and back.values["R1"] == pytest.approx(100)
    assert back.values["mINP"] == pytest.approx(100 * (1 + 2 / 3) / 2)
