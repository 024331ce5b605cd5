"""Operations against arithmetic by hand, step times, bytes."""

from __future__ import annotations

import torch

from harness import cost
from harness.method import state
from harness.registry import find


def by_hand(tower, tokens: int) -> int:
    """Multiply-adds of a tower's products and attention, two operations each; the last block reads one token.

    It needs the keys and values of all tokens, and everything else of one.
    """
    d, mlp = tower.width, 2 * tower.width * tower.mlp
    whole = tokens * (4 * d**2 + mlp) + 2 * tokens**2 * d
    last = 2 * tokens * d**2 + 2 * d**2 + mlp + 2 * tokens * d
    return 2 * ((tower.layers - 1) * whole + last) + 2 * tower.embed * d


def test_flops_equal_the_arithmetic(small_backbone, small_inputs):
    images, ids = small_inputs
    shape = small_backbone.shape
    forward, backward = cost.flops(small_backbone, images, ids)
    patches = 2 * 8 * 3 * 16 * 16 * shape.image.width
    assert forward == by_hand(shape.image, 9) + patches + by_hand(shape.text, 24)
    assert backward is None


def test_training_everything_costs_about_twice_the_forward_pass(small_backbone, small_inputs):
    find("methods", "full").Method().attach(small_backbone)
    forward, backward = cost.flops(small_backbone, *small_inputs)
    assert 1.8 < backward / forward < 2.3
    assert all(p.grad is None for p in small_backbone.parameters())


def test_low_rank_updates_cost_less_than_full(small_backbone, small_inputs):
    find("methods", "lora").Method(rank=2).attach(small_backbone)
    forward, backward = cost.flops(small_backbone, *small_inputs)
    assert backward < 1.5 * forward


def test_step_time_is_a_median_after_the_warm_up():
    watch = cost.Stopwatch([])
    for seconds in (9.0, 9.0, 9.0, 9.0, 9.0):
        watch.add(seconds, 0.5)
    assert watch.step is None
    for seconds in (1.0, 2.0, 30.0):
        watch.add(seconds, 0.5)
    assert watch.step == 2.0 and watch.waited == 4.0


def test_bytes_of_what_was_trained(small_backbone):
    find("methods", "lora").Method(rank=2).attach(small_backbone)
    weights = sum(value.numel() * 4 for value in state(small_backbone).values())
    assert weights < cost.saved_bytes(small_backbone) < weights + 20_000
    assert cost.peak(torch.device("cpu")) is None
