"""Every field of a recipe does what it is there for; the fields come from the class."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
import torch

from harness.model.clip import Block
from harness.training.recipe import Recipe
from harness.trial import spec
from tests.harness.trial.short import Seen, train

# Other values of a field whose effect is the trained numbers, each with what must be set for it to count.
NUMBERS: dict[str, list[tuple[Any, dict[str, Any]]]] = {
    "lr": [(0.02, {})],
    "optimizer": [("adamw", {})],
    "betas": [((0.5, 0.999), {}), ((0.9, 0.9), {})],
    "eps": [(1e-2, {})],
    "weight_decay": [(0.0, {}), (0.0, {"optimizer": "adamw"})],
    "warmup_epochs": [(0, {}), (0.5, {"schedule_per": "step"})],
    "warmup_factor": [(0.5, {})],
    "schedule": [("constant", {"warmup_epochs": 0})],
    "schedule_per": [("step", {})],
    "losses": [(("sdm", "id"), {}), (("itc",), {}), (("sdm", "mlm"), {})],
    "temperature": [(0.05, {}), (0.05, {"losses": ("itc",)})],
    "augmentation": [(name, {}) for name in ("none", "flip", "flip_crop", "irra_mean", "irra_colour")],
    "mask_captions": [(0.5, {}), (0.5, {"losses": ("sdm", "mlm")})],
    "mlm_share": [(0.6, {"losses": ("mlm",)})],
    "interaction": [(1, {"losses": ("mlm",)})],
    "sampler": [("identity", {})],
    "instances": [(2, {"sampler": "identity"})],
    "lr_factors": [({"ln1": 3.0}, {}), ({"classifier": 5.0}, {"losses": ("sdm", "id")})],
    "clip_gradient": [(1e-3, {"eps": 1e-2})],
    "precision": [("bf16", {})],
}


@functools.cache
def _train(settings: str) -> Seen:
    return train(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(settings).items()})


def seen(**settings) -> Seen:
    return _train(json.dumps(settings, sort_keys=True))


def same(one: Seen, other: Seen) -> bool:
    """Whether losses and trained parameters are the same bits."""
    alike = one.trained.keys() == other.trained.keys() and one.losses == other.losses
    return alike and all(torch.equal(value, other.trained[name]) for name, value in one.trained.items())


@pytest.mark.parametrize(
    ("field", "value", "context"),
    [pytest.param(f, v, c, id=f"{f}={v}" + (f"-{c}" if c else "")) for f, rows in NUMBERS.items() for v, c in rows],
)
def test_another_value_trains_other_numbers(field, value, context):
    one, other = seen(**context), seen(**context | {field: value})
    assert not same(one, other), f"{field} does nothing"
    assert other.losses != one.losses, f"{field} is seen by the optimizer alone, at the end"


def test_the_same_settings_train_the_same_bits():
    assert same(seen(), train()), "else the tests above cannot fail"


def name_reads_a_file() -> None:
    assert spec.recipe({"name": "irra"}) != spec.recipe({"name": "tbps_clip"}).model_copy(update={"name": "irra"})
    assert spec.recipe({"name": "short"}).epochs != spec.recipe({"name": "irra"}).epochs


def epochs_are_passes() -> None:
    one, other = seen(), seen(epochs=3)
    assert (len(one.losses), len(other.losses)) == (4, 6)


def batch_is_the_size_of_every_batch() -> None:
    assert {len(rows) for rows in seen().index} == {8} and {len(rows) for rows in seen(batch=4).index} == {4}
    assert len(seen(batch=4).losses) == 8


def checkpointing_passes_twice_and_trains_the_same() -> None:
    one, other = seen(), seen(checkpointing=True)
    assert other.blocks == 2 * one.blocks and len(other.passes) == len(one.passes)
    assert other.losses == pytest.approx(one.losses, rel=1e-5)


def micro_batch_is_the_most_in_a_pass() -> None:
    one, other = seen(), seen(micro_batch=3)
    assert set(one.passes) == {8} and other.passes == [3, 3, 2] * 2 * 4
    assert other.losses == pytest.approx(one.losses, rel=1e-4)


def compile_compiles_every_block() -> None:
    compiled: list[Block] = []
    with pytest.MonkeyPatch.context() as patch:

        def compile_(block: Block, **_options: Any) -> None:
            compiled.append(block)
            block._compiled_call_impl = block._call_impl

        patch.setattr(Block, "compile", compile_)
        other = train(compile=True)
    assert len(compiled) == len(set(compiled)) == 7, "of both towers"
    assert same(seen(), other)


EFFECTS = {
    "name": name_reads_a_file,
    "epochs": epochs_are_passes,
    "batch": batch_is_the_size_of_every_batch,
    "checkpointing": checkpointing_passes_twice_and_trains_the_same,
    "compile": compile_compiles_every_block,
    "micro_batch": micro_batch_is_the_most_in_a_pass,
}
ELSEWHERE = {
    "evaluate_every": "tests/harness/trial/test_clean_choice.py",
    "average": "tests/harness/trial/test_averaged.py",
}


@pytest.mark.parametrize("field", EFFECTS)
def test_an_effect_on_how_it_is_trained(field):
    EFFECTS[field]()


def test_every_field_is_looked_at():
    assert {*NUMBERS, *EFFECTS, *ELSEWHERE} == set(Recipe.model_fields)
