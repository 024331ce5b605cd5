"""Operations against arithmetic by hand, step times, bytes."""

from __future__ import annotations

import sys
import types

import torch

from harness.adaptation.method import state
from harness.evaluation import cost
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


def test_latency_as_trained_and_merged(small_backbone, small_inputs, monkeypatch):
    find("methods", "lora").Method(rank=2).attach(small_backbone)
    seen = []
    small_backbone.text.register_forward_pre_hook(lambda _tower, given: seen.append(given[0].shape))
    before = [tower(x[:1]) for tower, x in zip(small_backbone.towers, small_inputs, strict=True)]
    found = cost.latencies(small_backbone, *small_inputs)
    assert list(found) and all(0 < value < 1000 for value in found.values())
    assert set(seen[1:]) == {torch.Size([1, 24])} and len(seen) == 1 + 2 * (cost.IDLE + cost.PASSES)
    assert not any("frozen" in name for name, _ in small_backbone.named_modules()), "merged"
    after = [tower(x[:1]) for tower, x in zip(small_backbone.towers, small_inputs, strict=True)]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True))


def test_nothing_to_merge_has_no_merged_latency(small_backbone, small_inputs):
    found = cost.latencies(small_backbone, *small_inputs)
    assert found["latency_image_ms"] > 0 and found["latency_text_ms"] > 0
    assert found["latency_image_merged_ms"] is None and found["latency_text_merged_ms"] is None


def test_latency_is_the_median_of_what_follows_the_warm_up(small_backbone, small_inputs, monkeypatch):
    ticks = []
    for _ in ("image", "text"):
        for seconds in (9, 5, 3, 1):
            ticks += [0.0, float(seconds)]
    monkeypatch.setattr(cost.time, "perf_counter", iter(ticks).__next__)
    found = cost.latencies(small_backbone, *small_inputs)
    assert found["latency_image_ms"] == found["latency_text_ms"] == 3000


def test_energy_is_the_difference_of_two_readings(monkeypatch):
    assert cost.joules(torch.device("cpu")) is None
    cost.reset_peak(torch.device("cpu"))
    assert cost.energy(torch.device("cpu")) is None
    readings = iter((5_000, 12_500))
    counter = types.SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByUUID={"GPU-abc": "handle"}.__getitem__,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(readings) if handle == "handle" else None,
    )
    monkeypatch.setitem(sys.modules, "pynvml", counter)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(uuid="abc"))
    monkeypatch.setattr(cost.memory, "Peak", lambda device: None)
    cost.reset_peak(gpu := torch.device("cuda"))
    assert cost.energy(gpu) == 7.5
    assert cost.energy(gpu) is None, "a reading that fails"
    del cost._started["cuda"]
