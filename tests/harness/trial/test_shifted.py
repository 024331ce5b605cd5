"""A shifted data set in a trial: test alone is shifted, and only what a shift touches is encoded again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.measured_on import MeasuredOn
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source, load
from harness.registry import find
from harness.store.store import Store
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader
from harness.trial.resolve import resolve
from tests.harness.trial.kept.trials import make, trained

SOURCE, CPU = Source("tiny"), torch.device("cpu")
TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


def of(shift: str, severity: int = 3, **options) -> dict:
    return {"dataset": "synth_cuhk", "options": {"size": "tiny", "shift": shift, "severity": severity, **options}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("shift", ["motion_blur", "typos", "swap_colour"])
@pytest.mark.parametrize("name", ["train", "val"])
def test_train_and_val_are_never_shifted(data, shift, name):
    assert splits.part(of(shift), data, name, SOURCE) is splits.part(TINY, data, name, SOURCE)
    assert splits.splits(of(shift), data)[name] is splits.splits(TINY, data)[name]
    assert MeasuredOn.of(of(shift), name) == MeasuredOn.of(TINY, name)


def test_a_shift_of_images_leaves_captions_alone(data):
    plain, part = (splits.part(each, data, "test", SOURCE) for each in (TINY, of("motion_blur")))
    assert part.split is plain.split and part.ids is plain.ids
    assert part.images.shape == plain.images.shape and part.images.dtype == np.uint8
    whole = part.images[:]
    assert not any(np.array_equal(a, b) for a, b in zip(whole, plain.images, strict=True))
    assert np.array_equal(part.images[5:9], whole[5:9]) and np.array_equal(part.images[[7, 2]], whole[[7, 2]])
    assert len(part.images) == len(plain.images)


def test_a_shift_of_captions_leaves_images_alone_and_is_tokenised_after(data):
    plain, part = (splits.part(each, data, "test", SOURCE) for each in (TINY, of("typos", 5)))
    assert part.images is plain.images and part.split.images == plain.split.images
    assert sum(a != b for a, b in zip(plain.split.captions, part.split.captions, strict=True)) > 70
    ids, truncated = tokenizer(SOURCE)(part.split.captions)
    assert np.array_equal(part.ids, ids) and part.truncated == truncated
    assert np.array_equal(part.split.caption_image, plain.split.caption_image)
    assert splits.splits(of("typos", 5), data)["test"].captions == part.split.captions


def test_the_seed_reaches_the_shift(data):
    first, same, other = (splits.part(of("occlusion", shift_seed=s), data, "test", SOURCE) for s in (0, 0, 1))
    assert np.array_equal(first.images[:4], same.images[:4]) and not np.array_equal(first.images[:4], other.images[:4])
    captions = [splits.splits(of("typos", shift_seed=s), data)["test"].captions for s in (0, 1)]
    assert captions[0] == splits.splits(of("typos"), data)["test"].captions != captions[1]


def test_each_shift_is_another_identity_and_another_text(data):
    each = [TINY, of("grey"), of("grey", 4), of("grey", shift_seed=1), of("jpeg"), of("typos"), of("ocr")]
    assert len({splits.identity(one, data) for one in each}) == len({MeasuredOn.of(one).text for one in each}) == 7
    assert splits.identity(of("grey", shift_seed=0), data) == splits.identity(of("grey"), data)
    assert MeasuredOn.of(of("grey", shift_seed=0)) == MeasuredOn.of(of("grey"))
    assert MeasuredOn.of(of("grey")).text == 'synth_cuhk {"severity": 3, "shift": "grey", "size": "tiny"}'
    assert len({resolve(make(dataset=TINY, evaluate_on=(one,)), data).id for one in each}) == 7


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shift": "motion_blurr", "severity": 3}, r"unknown shift 'motion_blurr'.*did you mean motion_blur\?"),
        ({"shift": 3, "severity": 3}, "unknown shift '3'"),
        ({"shift": "grey", "severity": 0}, "severity: got 0; expected a whole number from 1 to 5"),
        ({"shift": "grey", "severity": 6}, "severity: got 6"),
        ({"shift": "grey", "severity": True}, "severity: got True"),
        ({"shift": "grey", "severity": "3"}, "severity: got '3'"),
        ({"shift": "grey", "severity": 3, "shift_seed": -1}, "shift_seed: got -1"),
        ({"shift": "grey"}, "a shift without its severity"),
        ({"severity": 3}, "a shift without its shift"),
        ({"shift_seed": 3}, "a shift without its shift"),
    ],
)
def test_what_is_no_shift_is_one_line(data, options, said):
    for ask in (lambda of: splits.splits(of, data), lambda of: splits.check(of["dataset"], of["options"])):
        with pytest.raises(DataError, match=said):
            ask({"dataset": "synth_cuhk", "options": {"size": "tiny", **options}})


class Counted:
    """A backbone with a method, and how many rows each of its towers has encoded."""

    def __init__(self, method: str) -> None:
        self.backbone = load(SOURCE)
        torch.manual_seed(0)
        find("methods", method).Method().attach(self.backbone)
        self.backbone.eval()
        self.rows = {"image": 0, "text": 0}
        for tower in self.backbone.towers:
            tower.register_forward_hook(lambda tower, given, _: self._count(tower.name, len(given[0])))

    def _count(self, name: str, rows: int) -> None:
        self.rows[name] += rows


@pytest.mark.parametrize("method", ["lora", "zero_shot", "full_text"])
def test_only_what_is_touched_is_encoded_again_and_scores_are_the_same_bits(data, tmp_path, method):
    each = [TINY, of("typos"), of("motion_blur"), of("swap_colour"), of("occlusion_person", 5), of("grey", 1)]
    parts = [splits.part(one, data, "test", SOURCE) for one in each]
    counted, recipe, seen = Counted(method), Recipe(epochs=1), {}
    loader = Loader(SOURCE, recipe, 0, CPU)
    found = [loader.evaluate(counted.backbone, part, seen) for part in parts]
    images, captions = len(parts[0].images), len(parts[0].ids)
    assert counted.rows == {"image": images * 4, "text": captions * 3}
    cached = Loader(SOURCE, recipe, 0, CPU, tmp_path)
    for part, measured in zip(parts, found, strict=True):
        for other in (loader.evaluate(counted.backbone, part), cached.evaluate(counted.backbone, part, {})):
            for a, b in zip(measured, other, strict=True):
                assert np.array_equal(a.ranks, b.ranks) and a.values == b.values
    assert len({str(text.values) for text, _ in found}) == len(each)


def test_features_on_disk_are_those_of_the_shift(data, tmp_path):
    """Frozen towers are read from disk: each shift, severity, seed and set of identities has its own file."""
    backbone = Counted("zero_shot").backbone
    each = [TINY, of("occlusion_person"), of("occlusion_person", 4), of("occlusion_person", shift_seed=1)]
    parts = [splits.part(one, data, "test", SOURCE) for one in each]
    turned = parts[0].split.image_person[::-1].copy()
    others = type(parts[1].images)(parts[0].images, turned, parts[1].images.shift)
    parts.append(dataclasses.replace(parts[1], images=others))
    for _ in range(2):
        loader = Loader(SOURCE, Recipe(epochs=1), 0, CPU, tmp_path)
        for part in parts:
            loader.evaluate(backbone, part)
    assert len(list(tmp_path.glob("*.npy"))) == len(parts) + 1 and loader.cached == 2 * len(parts)


def test_a_trial_measures_its_shifts_with_one_encoding_of_the_rest(data, tmp_path, monkeypatch):
    each = tuple(of(name) for name in ("typos", "grey", "first_clause"))
    trial, memos, evaluate = make(dataset=TINY, evaluate_on=each, selection="last"), [], Loader.evaluate

    def noted(self, backbone, part, seen=None):
        memos.append(seen)
        return evaluate(self, backbone, part, seen)

    monkeypatch.setattr(Loader, "evaluate", noted)
    store = Store(tmp_path / "store")
    ident = trained(trial, store, data).id
    assert len(memos) == 4 and all(memo is memos[0] for memo in memos) and len(memos[0]) == 2
    scores = store.measured([ident])["scores"].query("direction == 't2i' and metric == 'mAP'")
    assert scores["dataset"].tolist() == [MeasuredOn.of(one).text for one in (TINY, *each)]
    assert scores["value"].nunique() == 4
