"""One small trial watched from within: what an evaluation is given and what it writes, and what training draws."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import registry
from harness.model.weights import Source, pixels
from harness.store.store import Store
from harness.trial import run as running
from harness.trial import splits
from harness.trial.loader import Loader
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe
from tests.harness.trial import short

DATA = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 6}}
SOURCE = Source("tiny")
METHOD = '''"""Dropout behind both towers, with a trained shift before it."""

from typing import ClassVar

from tests.harness.trial.short import Noise
from upbench import Backbone, Shape, options

MADE = []


@options
class Method:
    reference: ClassVar[str] = "https://example.org"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = True

    def attach(self, backbone: Backbone) -> None:
        for tower in backbone.towers:
            MADE.append((tower, Noise(tower.shape.embed)))
            tower.head.append(MADE[-1][1])

    def parameters(self, shape: Shape) -> int:
        return 2 * shape.image.embed
'''


@dataclass
class Watched:
    """What went through a trial: per evaluation and tower its inputs and features, per step what `prepare` gave."""

    row: dict = field(default_factory=dict)
    inputs: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    features: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    training: list[bool] = field(default_factory=list)
    prepared: list[tuple[int, Tensor, Tensor, Tensor]] = field(default_factory=list)  # epoch, index, images, ids
    drawn: list[Tensor] = field(default_factory=list)
    tables: dict = field(default_factory=dict)
    data: object = None


def watch(folder, seed: int = 0, epochs: int = 2) -> Watched:
    (folder / "noise.py").write_text(METHOD)
    seen, name = Watched(data=folder / "data"), str(folder / "noise.py")
    made, prepare = registry.find("methods", name).MADE, Loader.prepare
    made.clear()
    trial = Trial(
        **{"method": name, "options": {}, "label": "a", "budget": None, "dataset": DATA, "evaluate_on": ()},
        **{"backbone": {"name": "tiny"}, "selection": "val", "seed": seed, "device": "cpu", "threads": 1},
        recipe=recipe({"name": "short", "epochs": epochs, "batch": 8, "augmentation": "irra", "mask_captions": 0.3}),
    )

    def prepared(loader, batch, epoch):
        given = prepare(loader, batch, epoch)
        seen.prepared.append((epoch, batch.index.clone(), given[0].clone(), given[1].clone()))
        for tower, _ in made:
            if not tower._forward_hooks:
                tower.register_forward_hook(looked)
        return given

    def looked(tower, inputs, features):
        if not torch.is_grad_enabled():
            seen.training.append(tower.training)
            seen.inputs[tower.name].append(inputs[0].clone())
            seen.features[tower.name].append(features.clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "prepare", prepared)
        resolved, store = resolve(trial, seen.data), Store(folder / f"store{seed}")
        assert running.run(resolved.as_dict(), store.root, seen.data) == "ok"
    seen.tables = store.measured([resolved.id], ("trials", "scores", "queries"))
    drawn = (each for _, noise in made for each in noise.drawn)
    seen.drawn = [each for each in drawn if len(each) > 2]  # operations are counted with two pairs
    return seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clean")


@pytest.fixture(scope="module")
def seen(folder) -> Watched:
    return watch(folder)


def part(seen: Watched, name: str) -> splits.Part:
    return splits.part(DATA, seen.data, name, SOURCE)


def evaluations(seen: Watched, tower: str, found: dict[str, list[Tensor]]) -> list[Tensor]:
    """What a tower got or gave, one tensor for each look: val after both epochs, test at the end."""
    parts = [part(seen, name) for name in ("val", "val", "test")]
    sizes = [len(each.images if tower == "image" else each.ids) for each in parts]
    width = max(x.shape[1] for x in found[tower])
    padded = [torch.nn.functional.pad(x, (0, width - x.shape[1])) if x.ndim == 2 else x for x in found[tower]]
    return list(torch.cat(padded)[: sum(sizes)].split(sizes))


def test_images_are_evaluated_as_they_are(seen):
    looks = evaluations(seen, "image", seen.inputs)
    mean, std = (torch.tensor(pixels(SOURCE)[k]).view(3, 1, 1) for k in ("mean", "std"))
    for images, name in zip(looks, ("val", "val", "test"), strict=True):
        plain = (torch.tensor(np.array(part(seen, name).images)) / 255 - mean) / std
        assert torch.allclose(images, plain, atol=1e-5), f"images of {name} are not the plain ones"


def test_captions_are_evaluated_as_they_are_written(seen):
    for ids, name in zip(evaluations(seen, "text", seen.inputs), ("val", "val", "test"), strict=True):
        whole = part(seen, name).ids[:, : ids.shape[1]]
        assert sorted(map(tuple, ids.tolist())) == sorted(map(tuple, whole.tolist()))


def test_modules_do_not_train_in_an_evaluation(seen):
    assert seen.training and not any(seen.training)
    steps = sum(len(images) for _, _, images, _ in seen.prepared)
    assert sum(len(each) for each in seen.drawn) == 2 * steps, "dropout is drawn for trained samples alone"


def test_the_records_of_a_direction_are_its_own(seen):
    """Ranks by a loop over the features that the towers gave at the last look."""
    test, queries, scores = part(seen, "test"), seen.tables["queries"], seen.tables["scores"]
    image = evaluations(seen, "image", seen.features)[-1].double()
    text = evaluations(seen, "text", seen.features)[-1].double()[order(test.ids)]
    image, text = (torch.nn.functional.normalize(each) for each in (image, text))
    captions, images = torch.tensor(test.split.caption_person), torch.tensor(test.split.image_person)
    sides = {"t2i": (text @ image.T, captions, images), "i2t": (image @ text.T, images, captions)}
    assert set(queries["direction"]) == set(sides)
    for direction, (cosines, asked, gallery) in sides.items():
        own = queries[queries["direction"] == direction].sort_values("query")
        assert own["query"].tolist() == list(range(len(asked))) and own["person"].tolist() == asked.tolist()
        assert own["positives"].tolist() == [int((gallery == person).sum()) for person in asked]
        for row, person, first in zip(cosines, asked, own["first"], strict=True):
            best = row[gallery == person].max()
            assert first == 1 + int((row[gallery != person] >= best).sum())
        means = scores[(scores["direction"] == direction) & (scores["split"] == "test")].set_index("metric")["value"]
        assert means["R1"] == pytest.approx(100 * (own["first"] == 1).mean())
        assert means["mAP"] == pytest.approx(100 * own["ap"].mean(), rel=1e-5)
        assert means["mINP"] == pytest.approx(100 * own["inp"].mean(), rel=1e-5)


def order(ids: np.ndarray) -> Tensor:
    """Where each caption stands when they are encoded by length."""
    return torch.tensor(np.argsort(np.argsort(ids.argmax(axis=1), kind="stable"), kind="stable"))


def test_modules_draw_other_numbers_in_every_step(seen):
    rows = [tuple(each[0].tolist()) for each in seen.drawn]
    assert len(rows) == 2 * len(seen.prepared) and len(set(rows)) == len(rows)


def test_samples_are_drawn_for_by_seed_epoch_and_index_alone(seen):
    """Augmentation and masks: others in another epoch, for another caption, under another seed; else the same bits."""
    train = part(seen, "train")
    rule = recipe({"name": "short", "batch": 8, "augmentation": "irra", "mask_captions": 0.3})
    loaders = [Loader(SOURCE, rule.model_copy(update={"batch": 5}), seed, short.CPU) for seed in (0, 1)]
    first, second, other = ({}, {}, {})
    for epoch, index, images, ids in seen.prepared:
        (first, second)[epoch].update({i: (x, w) for i, x, w in zip(index.tolist(), images, ids, strict=True)})
    assert first.keys() == second.keys() == set(range(len(train.ids)))
    for loader, into in zip(loaders, ({}, other), strict=True):
        for batch in loader.batches(train)[0](3):
            images, ids = loader.prepare(batch, 0)
            into.update({i: (x.clone(), w.clone()) for i, x, w in zip(batch.index.tolist(), images, ids, strict=True)})
        if loader is loaders[0]:
            assert all(alike(into[i], first[i]) == (True, True) for i in first), "in whatever batch it stands"
    for changed, what in ((second, "epochs"), (other, "seeds")):
        pictures, words = zip(*(alike(changed[i], first[i]) for i in first), strict=True)
        assert np.mean(pictures) < 0.2 and np.mean(words) < 0.2, f"{what} draw the same"
    owner = train.split.caption_image
    pairs = [(i, j) for i in first for j in first if i < j and owner[i] == owner[j]]
    assert pairs and np.mean([alike(first[i], first[j])[0] for i, j in pairs]) < 0.2, "captions of an image draw alike"


def alike(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[bool, bool]:
    """Whether two prepared samples have the same picture and the same words."""
    length = min(len(one[1]), len(other[1]))
    return torch.equal(one[0], other[0]), torch.equal(one[1][:length], other[1][:length])


@pytest.mark.parametrize("instances", [2, 3])
def test_the_identity_sampler_takes_every_sample_in_time(seen, instances):
    train = part(seen, "train")
    person = train.split.caption_person
    rule = recipe({"name": "short", "batch": 2 * instances, "sampler": "identity", "instances": instances})
    batches, steps = Loader(SOURCE, rule, 0, short.CPU).batches(train)
    orders, taken = [], set()
    for epoch in range(12):
        rows = [batch.index.tolist() for batch in batches(epoch)]
        assert len(rows) == steps
        for row in rows:
            each = np.unique(person[row], return_counts=True)[1]
            assert each.tolist() == [instances] * 2 and len(set(row)) == len(row), "identities with that many samples"
        turns = [[i for row in rows for i in row if person[i] == p] for p in set(person)]
        assert all(len(set(own)) > instances for own in turns if len(own) > instances), "others within an epoch"
        orders.append(rows)
        taken |= {index for row in rows[:2] for index in row}  # of the first two batches alone
    counts = np.bincount(person)
    assert (counts > instances).all(), "else there is nothing to choose"
    assert {person[i] for i in taken} == set(person)
    assert all(len({i for i in taken if person[i] == p}) > instances for p in set(person)), "not always the same"
    assert {i for rows in orders for row in rows for i in row} == set(range(len(person)))
    assert len({str(rows) for rows in orders}) == len(orders) and len({str(rows[0]) for rows in orders}) > 10
