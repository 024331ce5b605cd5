"""Captions that go through the text tower by length have the features and gradients of one pass over all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import registry
from harness.adaptation.method import trainable
from harness.adaptation.probe import SMALL, Case, attached, disturb
from harness.training import grouped
from harness.training.recipe import Recipe
from harness.training.step import Stepper

LENGTHS = [7, 3, 9, 4, 12, 3, 8, 5]


def captions(lengths=LENGTHS) -> torch.Tensor:
    """Words of captions of these lengths; the last id of the vocabulary ends each."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in zip(ids, lengths, strict=True):
        row[: length - 1] = torch.randint(1, SMALL.text.vocabulary - 1, (length - 1,), generator=draw)
        row[length - 1] = SMALL.text.vocabulary - 1
    return ids


def adapted(name: str, dtype: torch.dtype):
    options = {"union": {"parts": ["lora", "s_prefix", "l_adapter"]}}.get(name, {})
    return disturb(attached(Case(name, registry.find("methods", name), options).small(), dtype=dtype))


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(grouped, "LEAST", 2)


def test_groups_are_by_length_and_cut_to_their_longest():
    seen: list[torch.Tensor] = []

    def tower(ids: torch.Tensor) -> torch.Tensor:
        seen.append(ids)
        return ids[:, :1].double()

    ids = captions()
    ids[:, 0] = torch.arange(len(ids)) + 1
    assert grouped.encode(tower, ids, 4)[:, 0].tolist() == list(range(1, 9)), "in the order of captions"
    assert [tuple(part.shape) for part in seen] == [(2, 3), (2, 5), (2, 8), (2, 12)]
    assert sorted(np.concatenate([part[:, 0] for part in seen]).tolist()) == list(range(1, 9))


@pytest.mark.parametrize("groups", [0, 1])
def test_less_than_two_groups_go_as_they_are(groups):
    ids = captions()
    assert grouped.encode(lambda given: given, ids, groups) is ids


def test_ids_that_the_host_would_have_to_wait_for_go_as_they_are():
    ids = captions().to("meta")
    assert grouped.encode(lambda given: given, ids, 4) is ids


@pytest.mark.parametrize("name", [name for name in registry.names("methods") if name != "zero_shot"])
def test_features_and_gradients_are_those_of_one_pass(name):
    backbone, ids = adapted(name, torch.float64), captions()
    weights = torch.randn(len(ids), SMALL.text.embed, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def both(encode):
        backbone.zero_grad()
        torch.manual_seed(0)
        features = encode()
        if features.requires_grad:
            (features * weights).sum().backward()
        return features.detach(), {n: p.grad.clone() for n, p in trainable(backbone).items() if p.grad is not None}

    whole, expected = both(lambda: backbone.text(ids))
    parts, found = both(lambda: grouped.encode(backbone.text, ids, 3))
    assert torch.allclose(parts, whole, rtol=0, atol=1e-10)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[n], expected[n], rtol=0, atol=1e-10) for n in expected)


def test_a_step_groups_unless_a_module_keeps_something_of_its_forward_pass(monkeypatch):
    passes: list[int] = []
    for name, expected in (("lora", 4), ("dm_adapter", 1)):
        backbone = adapted(name, torch.float32)
        plain = backbone.text.forward
        monkeypatch.setattr(backbone.text, "forward", lambda ids, plain=plain: passes.append(len(ids)) or plain(ids))
        passes.clear()
        Stepper(backbone, Recipe(), {}).features(torch.zeros(8, SMALL.image.embed), captions())
        assert len(passes) == expected, name
