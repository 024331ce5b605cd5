"""The mean of what is trained: by hand, in float32, beside a training that goes on from its own parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.training.average import Average
from harness.training.recipe import Recipe
from harness.trial.checkpoint import Checkpoints
from tests.harness.trial.short import BASE, part, train, training

# Value of the first parameter after each step of three epochs of two steps; the second one is [2 v, -v].
AFTER = (9.0, 1.0, 7.0, 3.0, 5.0, 8.0)
BY_HAND = {
    "2 epochs": (0.0, 1.0, 1.0, 3.0, 3.0, (3 + 8) / 2),
    "3 epochs": (0.0, 1.0, 1.0, (1 + 3) / 2, (1 + 3) / 2, (1 + 3 + 8) / 3),
    "decay 0.5": (9.0, 11 / 3, (11 + 4 * 7) / 7, (39 + 8 * 3) / 15, (63 + 16 * 5) / 31, (143 + 32 * 8) / 63),
}


def pair(dtype: torch.dtype = torch.float32) -> dict[str, nn.Parameter]:
    return {"a": nn.Parameter(torch.zeros((), dtype=dtype)), "b": nn.Parameter(torch.zeros(2, dtype=dtype))}


@pytest.mark.parametrize("asked", BY_HAND)
def test_two_parameters_by_hand(asked):
    parameters = pair()
    average = Average(parameters, Recipe(epochs=3, average=asked), steps=2)
    for done, (value, mean) in enumerate(zip(AFTER, BY_HAND[asked], strict=True), start=1):
        parameters["a"].data.fill_(value)
        parameters["b"].data.copy_(torch.tensor([2 * value, -value]))
        average.add(done)
        assert float(average.mean["a"]) == pytest.approx(mean, rel=1e-6), done
        assert average.mean["b"].tolist() == pytest.approx([2 * mean, -mean], rel=1e-6), done
    assert float(parameters["a"].detach()) == AFTER[-1], "the parameters are looked at alone"


def test_a_decay_towards_one_is_the_mean_of_all_steps_without_the_start():
    parameters = pair()
    parameters["a"].data.fill_(1e6)
    average = Average(parameters, Recipe(average="decay 0.9999999"), steps=2)
    for done, value in enumerate(AFTER, start=1):
        parameters["a"].data.fill_(value)
        average.add(done)
    assert float(average.mean["a"]) == pytest.approx(sum(AFTER) / len(AFTER), rel=1e-5)


def test_float16_is_averaged_in_float32():
    parameters = pair(torch.float16)
    average = Average(parameters, Recipe(epochs=3, average="3 epochs"), steps=1)
    for done, value in enumerate((2048.0, 2050.0, 2050.0), start=1):  # neighbours in float16
        parameters["a"].data.fill_(value)
        average.add(done)
    assert average.mean["a"].dtype == torch.float32
    assert float(average.mean["a"]) == pytest.approx(2049.3333, abs=1e-3)


SETTINGS = {"losses": ("sdm", "id"), "epochs": 2}
ASKED = ("2 epochs", "decay 0.7")


@pytest.mark.parametrize("asked", ASKED)
def test_training_goes_on_from_what_it_trained_to_the_bit(asked):
    one, other = train(**SETTINGS), train(**SETTINGS, average=asked)
    assert one.losses == other.losses and one.trained.keys() == other.trained.keys()
    assert all(torch.equal(value, other.trained[name]) for name, value in one.trained.items())


@pytest.mark.parametrize("asked", ASKED)
def test_the_mean_stands_in_the_backbone_while_it_is_measured_and_then_the_parameters_again(asked):
    run, loader = training(Recipe(**BASE | SETTINGS | {"average": asked}))
    ends, every = [], []
    for step in run.run(loader.batches(part())[0], loader.prepare):
        before = {name: value.detach().clone() for name, value in run.modules.named_parameters()}
        every.append(before)
        ends += [before] * step.last
        with pytest.raises(KeyboardInterrupt), run.measured():
            within = {name: value.detach().clone() for name, value in run.modules.named_parameters()}
            assert not run.whole
            raise KeyboardInterrupt
        assert run.whole
        after = dict(run.modules.named_parameters())
        assert all(torch.equal(value, after[name]) for name, value in before.items())
    weights = [0.7 ** (len(every) - n) for n in range(1, len(every) + 1)]
    for name, value in before.items():
        mean = (
            sum(end[name].double() for end in ends) / len(ends)
            if "epochs" in asked
            else sum(w * one[name].double() for w, one in zip(weights, every, strict=True)) / sum(weights)
        )
        averaged = name.startswith("backbone.") and after[name].requires_grad
        assert torch.allclose(within[name].double(), mean, atol=1e-6) if averaged else torch.equal(within[name], value)
    assert any(not torch.equal(within[name], value) for name, value in before.items())


@pytest.mark.parametrize("asked", ASKED)
def test_the_mean_goes_on_bit_for_bit_after_every_step(tmp_path, asked):
    def after(run, loader, steps: int | None = None) -> dict[str, torch.Tensor]:
        for step in run.run(loader.batches(part())[0], loader.prepare):
            if step.step + 1 == steps:
                break
        return {name: value.clone() for name, value in run.tensors().items()}

    recipe = Recipe(**BASE | {"average": asked})
    whole = after(*training(recipe))
    assert any(name.startswith("average/") for name in whole)
    for number in (1, 2, 3):
        run, loader = training(recipe)
        Checkpoints(tmp_path, f"{number}").save({}, after(run, loader, number))
        found, _ = Checkpoints(tmp_path, f"{number}").load()
        assert found is not None
        entered, loader = training(recipe)
        entered.enter(found.tensors, number, run.rate)
        again = after(entered, loader)
        assert again.keys() == whole.keys()
        assert all(torch.equal(value, again[name]) for name, value in whole.items()), number


def test_without_a_mean_nothing_is_kept_for_it():
    run, _ = training(Recipe(**BASE))
    assert run.average is None and not any(name.startswith("average/") for name in run.tensors())
    with run.measured():
        assert run.whole
